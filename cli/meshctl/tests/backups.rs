//! Backups of a running server and of a stopped one, and the way back, with the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

#[path = "backups/house.rs"]
mod house;

#[path = "backups/killed.rs"]
mod killed;
#[path = "backups/made.rs"]
mod made;
#[path = "backups/restored.rs"]
mod restored;
