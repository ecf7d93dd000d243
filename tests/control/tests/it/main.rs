//! A server against model clients, over real sockets on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

use control_tests::{admin, device};

mod agents;
mod api_keys;
mod attacks;
mod callers;
mod calls;
mod durable;
mod house;
mod in_memory;
mod joining;
mod leaving;
mod lifetimes;
mod lists;
mod map;
mod monitor;
mod relayed;
mod scopes;
mod secrets;
mod strangers;
mod v1;
mod waiting;
