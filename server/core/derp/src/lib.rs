//! The relay's words and membership: frames, hello, switchboard, STUN.
//!
//! Enters: bytes, nonces, milliseconds. Leaves: frames, notices, the connection a packet belongs to.
//! Must not know: sockets, the World, policy. There is no mesh between relays, so its frames are refused.

mod decoder;
mod frame;
mod hello;
pub mod stun;
mod switchboard;

pub use decoder::{Decoder, FrameError};
pub use frame::{
    Frame, Gone, HEADER_BYTES, MAX_CLIENT_INFO_BYTES, MAX_PACKET_BYTES, is_disco, put_recv_packet,
    recv_packet_bytes,
};
pub use hello::{ClientInfo, ClientKey, HelloError, Nonce, PROTOCOL_VERSION, ServerInfo, ServerKey};
pub use switchboard::{Closed, ConnId, Delivery, Joined, MAX_CONNECTIONS_PER_KEY, Notice, Switchboard};
