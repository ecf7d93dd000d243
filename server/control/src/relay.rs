//! The relay: nodes that cannot reach each other directly meet here (DERP), and learn here what address they
//! have (STUN).
//!
//! Enters: connections from the listener, keys to cut, an [`Admission`]. Leaves: packets, to their addressee only.
//! Must not know: the World beyond that one question, or how listeners and TLS are set up.

pub mod certificate;
mod connection;
mod gulp;
mod outbox;
mod reader;
mod routes;
mod scratch;
mod sniff;
mod sorter;
pub mod stun;
mod switch;
mod tally;

pub use gulp::Gulp;
pub use routes::{BootstrapNames, routes};
pub use sniff::{Rewind, Sniffed, sniff};
pub use switch::{Admission, Inquiry, Relay};
pub use tally::Traffic;
