//! What a client found out about its network, and the services it announces.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::field::absent;

/// The client's last network check. `None` means "not known".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NetInfo {
    #[serde(rename = "MappingVariesByDestIP", skip_serializing_if = "absent")]
    pub mapping_varies_by_dest_ip: Option<bool>,
    #[serde(rename = "WorkingIPv6", skip_serializing_if = "absent")]
    pub working_ipv6: Option<bool>,
    #[serde(rename = "OSHasIPv6", skip_serializing_if = "absent")]
    pub os_has_ipv6: Option<bool>,
    #[serde(rename = "WorkingUDP", skip_serializing_if = "absent")]
    pub working_udp: Option<bool>,
    #[serde(rename = "WorkingICMPv4", skip_serializing_if = "absent")]
    pub working_icmpv4: Option<bool>,
    #[serde(rename = "UPnP", skip_serializing_if = "absent")]
    pub upnp: Option<bool>,
    #[serde(rename = "PMP", skip_serializing_if = "absent")]
    pub pmp: Option<bool>,
    #[serde(rename = "PCP", skip_serializing_if = "absent")]
    pub pcp: Option<bool>,
    #[serde(skip_serializing_if = "absent")]
    pub have_port_map: bool,
    /// The home region; 0 when there is none.
    #[serde(rename = "PreferredDERP", skip_serializing_if = "absent")]
    pub preferred_derp: u32,
    #[serde(skip_serializing_if = "absent")]
    pub link_type: String,
    /// Seconds by `<region>-v4` and `<region>-v6`.
    #[serde(rename = "DERPLatency", skip_serializing_if = "absent")]
    pub derp_latency: BTreeMap<String, Number>,
    #[serde(skip_serializing_if = "absent")]
    pub firewall_mode: String,
}

/// A listening service, or one of the client's own (`peerapi4`, `peerapi6`, `peerapi-dns-proxy`).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Service {
    pub proto: String,
    pub port: u16,
    /// Always written: the strictest client misses it otherwise.
    pub description: String,
}
