//! A node as clients are told of it, and single changes to one.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use ident::{DiscoKey, MachineKey, NodeId, NodeKey, UserId};
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    CapMap, CapVer, Hostinfo,
    field::{absent, key, time},
    filter::verbatim,
};

/// One node, always told whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Node {
    #[serde(rename = "ID")]
    pub id: NodeId,
    #[serde(rename = "StableID")]
    pub stable_id: String,
    /// Full name with a trailing dot.
    pub name: String,
    /// Owner; for a tagged node the pseudo user that stands for tags.
    pub user: UserId,
    pub key: NodeKey,
    /// Absent: never.
    #[serde(default, deserialize_with = "time::deserialize", skip_serializing_if = "absent")]
    pub key_expiry: Option<Timestamp>,
    #[serde(default, with = "key", skip_serializing_if = "absent")]
    pub machine: Option<MachineKey>,
    #[serde(default, with = "key", skip_serializing_if = "absent")]
    pub disco_key: Option<DiscoKey>,
    pub addresses: Addresses,
    /// Addresses, primary routes and approved exit routes; empty means "the addresses alone".
    #[serde(rename = "AllowedIPs", default, skip_serializing_if = "absent")]
    pub allowed_ips: Vec<IpNet>,
    #[serde(default, skip_serializing_if = "absent")]
    pub endpoints: Vec<SocketAddr>,
    /// Relay region where the node listens; 0 while not known.
    #[serde(rename = "HomeDERP", default, skip_serializing_if = "absent")]
    pub home_derp: u32,
    /// For peers see [`Hostinfo::for_peers`].
    #[serde(default)]
    pub hostinfo: Arc<Hostinfo>,
    #[serde(default, deserialize_with = "time::deserialize", skip_serializing_if = "absent")]
    pub created: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "absent")]
    pub cap: CapVer,
    #[serde(default, skip_serializing_if = "absent")]
    pub tags: Vec<String>,
    /// Subnet routes now served; no exit routes, no own addresses.
    #[serde(default, skip_serializing_if = "absent")]
    pub primary_routes: Vec<IpNet>,
    /// Only while offline.
    #[serde(default, deserialize_with = "time::deserialize", skip_serializing_if = "absent")]
    pub last_seen: Option<Timestamp>,
    /// Always given for peers: a client loses a change from "unknown".
    #[serde(default, skip_serializing_if = "absent")]
    pub online: Option<bool>,
    #[serde(default)]
    pub machine_authorized: bool,
    #[serde(default, serialize_with = "verbatim", skip_serializing_if = "absent")]
    pub cap_map: CapMap,
    /// The key of this peer is past its expiry.
    #[serde(default, skip_serializing_if = "absent")]
    pub expired: bool,
    /// The peer may not open connections to the viewer.
    #[serde(default, skip_serializing_if = "absent")]
    pub is_jailed: bool,
}

/// Exactly one address of each family, which the strictest client wants in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "[IpNet; 2]", into = "[IpNet; 2]")]
pub struct Addresses {
    pub v4: Ipv4Addr,
    pub v6: Ipv6Addr,
}

impl Addresses {
    /// As a /32 and a /128.
    pub fn prefixes(self) -> [IpNet; 2] {
        [IpNet::from(std::net::IpAddr::V4(self.v4)), IpNet::from(std::net::IpAddr::V6(self.v6))]
    }
}

impl From<Addresses> for [IpNet; 2] {
    fn from(a: Addresses) -> Self {
        a.prefixes()
    }
}

impl TryFrom<[IpNet; 2]> for Addresses {
    type Error = &'static str;
    fn try_from(nets: [IpNet; 2]) -> Result<Self, Self::Error> {
        let [IpNet::V4(v4), IpNet::V6(v6)] = nets else {
            return Err("addresses are one IPv4 and one IPv6 prefix, in this order");
        };
        if v4.prefix_len() != 32 || v6.prefix_len() != 128 {
            return Err("addresses are a /32 and a /128");
        }
        Ok(Self { v4: v4.addr(), v6: v6.addr() })
    }
}

/// Fields of one peer that changed; `None` stays as it was. Nothing can be patched to zero or empty but `online`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PeerChange {
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    #[serde(rename = "DERPRegion", default, skip_serializing_if = "absent")]
    pub derp_region: u32,
    #[serde(default, skip_serializing_if = "absent")]
    pub cap: CapVer,
    #[serde(default, skip_serializing_if = "absent")]
    pub cap_map: Option<CapMap>,
    #[serde(default, skip_serializing_if = "absent")]
    pub endpoints: Option<Vec<SocketAddr>>,
    #[serde(default, skip_serializing_if = "absent")]
    pub key: Option<NodeKey>,
    #[serde(default, with = "key", skip_serializing_if = "absent")]
    pub disco_key: Option<DiscoKey>,
    #[serde(default, skip_serializing_if = "absent")]
    pub online: Option<bool>,
    #[serde(default, deserialize_with = "time::deserialize", skip_serializing_if = "absent")]
    pub last_seen: Option<Timestamp>,
    #[serde(default, deserialize_with = "time::deserialize", skip_serializing_if = "absent")]
    pub key_expiry: Option<Timestamp>,
}

impl PeerChange {
    /// A patch of this node that changes nothing yet.
    pub fn new(node_id: NodeId) -> Self {
        Self {
            node_id,
            derp_region: 0,
            cap: CapVer::default(),
            cap_map: None,
            endpoints: None,
            key: None,
            disco_key: None,
            online: None,
            last_seen: None,
            key_expiry: None,
        }
    }

    /// Whether applying it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::new(self.node_id)
    }
}
