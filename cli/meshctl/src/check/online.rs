//! Evidence from the server and the network.

pub mod dns;
pub mod keys;
pub mod nodes;
pub mod server;
