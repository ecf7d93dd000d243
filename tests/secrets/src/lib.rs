//! `meshctl secret` beside the tools of others: ansible-vault, sops, age; and a consumer that must never be locked out.
//!
//! Needs the binary (`MESHCTL_BIN`, else the debug build beside the tests), `tools/install`, and Debian's `age`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "all of this is test code")]

mod bench;
mod consumer;
mod server;

pub use bench::{Bench, Said};
pub use consumer::Consumer;
pub use server::Server;

/// How often each step is killed: 3 times in the gate, 100 times in the long form.
pub fn kills() -> usize {
    if std::env::var_os("MESHCTL_TEST_FULL").is_some() { 100 } else { 3 }
}
