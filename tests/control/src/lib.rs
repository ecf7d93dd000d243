//! Those who meet the server in these tests: an operator, devices, and how long they wait.
//!
//! Enters: where a server is. Leaves: answers and folded maps; whoever does not get one panics. Must not know: how a
//! server is started, which each test program does in its own way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

pub mod admin;
pub mod device;
pub mod patience;

pub use ports as address;
