//! What a node's resolver is told.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::field::absent;

/// The whole DNS configuration of one node; the default value means "no DNS".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DnsConfig {
    /// Global nameservers.
    #[serde(skip_serializing_if = "absent")]
    pub resolvers: Vec<Resolver>,
    /// Split DNS by suffix; an empty list means "answered by MagicDNS".
    #[serde(skip_serializing_if = "absent")]
    pub routes: BTreeMap<String, Vec<Resolver>>,
    /// Used where the system cannot do split DNS by itself.
    #[serde(skip_serializing_if = "absent")]
    pub fallback_resolvers: Vec<Resolver>,
    /// Search list, the tailnet's suffix first.
    #[serde(skip_serializing_if = "absent")]
    pub domains: Vec<String>,
    /// MagicDNS is on.
    #[serde(skip_serializing_if = "absent")]
    pub proxied: bool,
    /// Names for which the node may get certificates.
    #[serde(skip_serializing_if = "absent")]
    pub cert_domains: Vec<String>,
    #[serde(skip_serializing_if = "absent")]
    pub extra_records: Vec<DnsRecord>,
    /// Suffixes (leading dot) that an exit node must not resolve for others.
    #[serde(skip_serializing_if = "absent")]
    pub exit_node_filtered_set: Vec<String>,
}

/// One nameserver.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Resolver {
    /// `IP`, `IP:port`, or a DoH URL.
    pub addr: String,
    /// Where to find the host of a DoH URL.
    #[serde(skip_serializing_if = "absent")]
    pub bootstrap_resolution: Vec<IpAddr>,
    #[serde(skip_serializing_if = "absent")]
    pub use_with_exit_node: bool,
}

/// One more name that MagicDNS answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DnsRecord {
    pub name: String,
    /// `A`, `AAAA`, or empty for whichever fits the value.
    #[serde(rename = "Type", skip_serializing_if = "absent")]
    pub kind: String,
    /// An IP address.
    pub value: String,
}
