//! The official command line of headscale against a server: what its users type works here, or says why not.
//!
//! It is built by `tests/swarm/rivals/build` and runs in a suite of its own, for building it takes minutes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

use control_tests::device;

#[path = "surroundings/authority.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod authority;
#[path = "headscale/cli.rs"]
mod cli;
#[path = "surroundings/house.rs"]
#[allow(dead_code, unused_imports, reason = "shared with other tests")]
mod house;
#[path = "surroundings/journal.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod journal;
#[path = "headscale/words.rs"]
mod words;
