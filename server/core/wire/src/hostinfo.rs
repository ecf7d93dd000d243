//! What a client tells about the machine it runs on.

mod other;
mod sanitised;

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{Location, NetInfo, Service, field::absent};

const MOST_ROUTES: usize = 1024;
/// The services of the client itself that peers use; one client fails on any protocol that it does not know.
const FOR_PEERS: [&str; 3] = ["peerapi4", "peerapi6", "peerapi-dns-proxy"];

/// The fields with a meaning here, and all others as they came (at most 64 keys and 16 KiB of them).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Hostinfo {
    #[serde(rename = "IPNVersion", skip_serializing_if = "absent")]
    pub ipn_version: String,
    #[serde(rename = "OS", skip_serializing_if = "absent")]
    pub os: String,
    #[serde(rename = "OSVersion", skip_serializing_if = "absent")]
    pub os_version: String,
    #[serde(skip_serializing_if = "absent")]
    pub hostname: String,
    /// Which program embeds the client, if any.
    #[serde(skip_serializing_if = "absent")]
    pub app: String,
    #[serde(skip_serializing_if = "absent")]
    pub shields_up: bool,
    #[serde(skip_serializing_if = "absent")]
    pub sharee_node: bool,
    #[serde(skip_serializing_if = "absent")]
    pub userspace: Option<bool>,
    #[serde(skip_serializing_if = "absent")]
    pub app_connector: Option<bool>,
    /// Advertised routes, exit routes among them; masked, each once.
    #[serde(rename = "RoutableIPs", deserialize_with = "routes", skip_serializing_if = "absent")]
    pub routable_ips: Vec<IpNet>,
    #[serde(skip_serializing_if = "absent")]
    pub request_tags: Vec<String>,
    #[serde(skip_serializing_if = "absent")]
    pub services: Vec<Service>,
    #[serde(skip_serializing_if = "absent")]
    pub net_info: Option<NetInfo>,
    #[serde(rename = "sshHostKeys", skip_serializing_if = "absent")]
    pub ssh_host_keys: Vec<String>,
    /// None when it is not of this shape.
    #[serde(deserialize_with = "Location::if_it_fits", skip_serializing_if = "absent")]
    pub location: Option<Location>,
    /// Fields that mean nothing here, under their usual spelling.
    #[serde(flatten, deserialize_with = "other::read")]
    pub other: BTreeMap<String, Value>,
}

impl Hostinfo {
    /// What peers need of it: system, name, the client's own services, SSH host keys, location and the flags that
    /// change how a peer treats the node.
    pub fn for_peers(&self) -> Self {
        Self {
            os: self.os.clone(),
            hostname: self.hostname.clone(),
            shields_up: self.shields_up,
            sharee_node: self.sharee_node,
            services: self.services_for_peers(),
            ssh_host_keys: self.ssh_host_keys.clone(),
            location: self.location.clone(),
            ..Self::default()
        }
    }

    /// The first of each kind.
    fn services_for_peers(&self) -> Vec<Service> {
        let first = |proto: &&str| self.services.iter().find(|s| s.proto == **proto);
        FOR_PEERS.iter().filter_map(first).cloned().collect()
    }
}

fn routes<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(d)?;
    let mut found: Vec<IpNet> =
        texts.iter().filter_map(|t| t.parse::<IpNet>().ok()).map(|n| n.trunc()).take(MOST_ROUTES).collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
