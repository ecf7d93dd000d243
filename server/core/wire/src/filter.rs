//! Packet filters: what a node lets in.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize, Serializer, ser::Error};
use serde_json::{Value, value::to_raw_value};

use crate::field::absent;

/// Capabilities and their arguments; an empty list for a mere flag.
pub type CapMap = BTreeMap<String, Vec<Value>>;

/// Each argument as plain JSON: clients pass it on as it stands, so that there backslashes hurt nobody.
pub(crate) fn verbatim<S: Serializer>(caps: &CapMap, serializer: S) -> Result<S::Ok, S::Error> {
    let raw = |value: &Value| to_raw_value(value).map_err(S::Error::custom);
    let each =
        caps.iter().map(|(name, values)| Ok((name, values.iter().map(raw).collect::<Result<Vec<_>, _>>()?)));
    serializer.collect_map(each.collect::<Result<Vec<_>, S::Error>>()?)
}

/// One rule: sources and either ports that they may reach, or capabilities that they have here, never both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct FilterRule {
    /// `*`, an address, a masked prefix, a range `a-b`, or `cap:` and a node capability.
    #[serde(rename = "SrcIPs")]
    pub src_ips: Vec<String>,
    #[serde(skip_serializing_if = "absent")]
    pub dst_ports: Vec<NetPortRange>,
    /// IP protocol numbers; empty: TCP, UDP and both ICMPs.
    #[serde(rename = "IPProto", skip_serializing_if = "absent")]
    pub ip_proto: Vec<i32>,
    #[serde(skip_serializing_if = "absent")]
    pub cap_grant: Vec<CapGrant>,
}

/// Ports of an address or prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NetPortRange {
    /// Spelled like a source, without `cap:`.
    #[serde(rename = "IP")]
    pub ip: String,
    #[serde(rename = "Ports")]
    pub ports: PortRange,
}

/// Ports from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

impl PortRange {
    /// Every port, and ICMP.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };
}

/// Capabilities that the sources have on these addresses of the node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CapGrant {
    pub dsts: Vec<IpNet>,
    #[serde(serialize_with = "verbatim", skip_serializing_if = "absent")]
    pub cap_map: CapMap,
}
