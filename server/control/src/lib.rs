//! The shell: sockets, TLS, SQL, HTTP, timers; the only composition root.

pub mod relay;
