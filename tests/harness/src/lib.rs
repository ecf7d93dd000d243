//! A model client: speaks the control protocol like the official ones and folds what it is told.
//!
//! Enters: a server's URL, keys, requests. Leaves: answers, map messages, and the state a client would hold.
//! Must not know: how the server works inside.

mod channel;
mod client;
mod dialect;
mod identity;
mod map_stream;
mod model;
mod server;

pub use channel::Channel;
pub use client::{Client, Refused};
pub use dialect::Dialect;
pub use identity::Identity;
pub use map_stream::MapStream;
pub use model::{Family, FoldError, Model, View};
pub use server::{Pipes, Server, Socket, trusting};
