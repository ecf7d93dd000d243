//! What the stories have in common: a mesh of official clients around the server under test.
//!
//! The stories are in `tests/`. They need root, the clients that `tests/clients/go/build` builds, and the server
//! binary (`MESHCTL_BIN`, else the debug build).

mod browser;
pub mod front;
mod mesh;

pub use browser::Browser;
pub use lab::PingStream;
pub use mesh::{Mesh, POLICY, ROLES, sorted};
