//! A server against model clients, over real sockets on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

mod admin;
mod api_keys;
mod binary;
mod device;
mod durable;
mod handshake;
mod house;
mod joining;
mod key_table;
mod kills;
mod leaving;
mod map;
mod nonsense;
mod presence;
mod secrets;
mod strangers;
