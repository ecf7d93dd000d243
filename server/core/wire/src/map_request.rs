//! What a client says when it asks for its map or reports about itself.

use std::net::SocketAddr;

use ident::{DiscoKey, NodeKey};
use serde::{Deserialize, Serialize};

use crate::{
    CapVer, Hostinfo,
    decode::Request,
    endpoint,
    field::{absent, key},
};

/// Body of `POST /machine/map`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MapRequest {
    pub version: CapVer,
    /// `zstd`, or empty for bare JSON.
    #[serde(skip_serializing_if = "absent")]
    pub compress: String,
    #[serde(skip_serializing_if = "absent")]
    pub keep_alive: bool,
    #[serde(with = "key", skip_serializing_if = "absent")]
    pub node_key: Option<NodeKey>,
    #[serde(with = "key", skip_serializing_if = "absent")]
    pub disco_key: Option<DiscoKey>,
    #[serde(skip_serializing_if = "absent")]
    pub stream: bool,
    #[serde(skip_serializing_if = "absent")]
    pub hostinfo: Option<Hostinfo>,
    /// As sent; read them through [`MapRequest::endpoints`].
    #[serde(skip_serializing_if = "absent")]
    pub endpoints: Vec<String>,
    #[serde(skip_serializing_if = "absent")]
    pub endpoint_types: Vec<i32>,
    #[serde(skip_serializing_if = "absent")]
    pub omit_peers: bool,
    /// Obsolete: store nothing.
    #[serde(skip_serializing_if = "absent")]
    pub read_only: bool,
    #[serde(skip_serializing_if = "absent")]
    pub debug_flags: Vec<String>,
}

impl Request for MapRequest {}

impl MapRequest {
    /// Whether the client wants each message as a zstd frame.
    pub fn wants_zstd(&self) -> bool {
        self.compress == "zstd"
    }

    /// The endpoints that a peer could use: no zones, no link-local, unspecified or multicast addresses, no port 0,
    /// each once, at most 64.
    pub fn endpoints(&self) -> Vec<SocketAddr> {
        endpoint::usable(&self.endpoints)
    }

    /// A report (`Stream` off, `OmitPeers` on): store it, answer with an empty 200.
    pub fn is_lite(&self) -> bool {
        !self.stream && self.omit_peers
    }
}
