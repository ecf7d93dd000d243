//! The words on the wire: what clients send and what they are told, exactly as the protocol spells it.
//!
//! Enters: bytes of requests. Leaves: typed requests, and answers in the one JSON dialect that every client reads
//! (see [`encode`]). Must not know: why anything is sent.

mod capver;
mod decode;
mod derp_map;
mod dns;
mod encode;
mod endpoint;
mod field;
mod filter;
mod hostinfo;
mod location;
mod map_request;
mod map_response;
mod netinfo;
mod node;
mod ping;
mod profile;
mod register;
mod server_keys;
mod spelling;
mod ssh;
mod token;

pub use capver::CapVer;
pub use decode::{DecodeError, Request, decode};
pub use derp_map::{DerpHomeParams, DerpMap, DerpNode, DerpRegion};
pub use dns::{DnsConfig, DnsRecord, Resolver};
pub use encode::{EncodeError, encode, encode_into, plain};
pub use filter::{CapGrant, CapMap, FilterRule, NetPortRange, PortRange};
pub use hostinfo::Hostinfo;
pub use location::{Degrees, Location};
pub use map_request::MapRequest;
pub use map_response::{Debug, MapResponse};
pub use netinfo::{NetInfo, Service};
pub use node::{Addresses, Node, PeerChange};
pub use ping::PingRequest;
pub use profile::UserProfile;
pub use register::{Login, RegisterAuth, RegisterRequest, RegisterResponse, User};
pub use server_keys::ServerKeys;
pub use ssh::{SshAction, SshPolicy, SshPrincipal, SshRecordingFailure, SshRule};
pub use token::{TokenRequest, TokenResponse};
