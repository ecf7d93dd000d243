//! What nodes are told to be.

use std::{collections::BTreeMap, net::Ipv4Addr};

use ident::Tag;
use ipnet::Ipv4Net;
use serde_json::Value;

use crate::{Badge, Compiled, alias::Alias};

/// With funnel comes the list of ports that it may use.
pub(crate) const FUNNEL_PORTS: &str = "https://tailscale.com/cap/funnel-ports?ports=443,8443,10000";
/// The capability that peers are told of as well, of exit nodes.
pub const SUGGEST_EXIT_NODE: &str = "suggest-exit-node";

/// Which profile of NextDNS answers a node, and whether NextDNS is told who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextDns<'a> {
    /// Another profile than that of the nameserver's URL.
    pub profile: Option<&'a str>,
    /// Whether name, system and address of the node go with its questions.
    pub tells_device: bool,
}

/// What an attribute says about NextDNS, behind this.
pub(crate) const NEXTDNS: &str = "nextdns:";
const NO_DEVICE: &str = "no-device-info";

/// Whether this can follow [`NEXTDNS`]: `no-device-info` or a profile, which becomes a part of a URL.
pub(crate) fn says_something_to_nextdns(what: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (1..=64).contains(&what.len()) && what.bytes().all(inner) && what.bytes().any(|b| b != b'.')
}

impl Compiled {
    /// Capabilities of every node with this badge, each with its parameters.
    pub fn capabilities(&self, badge: &Badge) -> BTreeMap<String, Vec<Value>> {
        let mut caps: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for name in &self.content.everywhere {
            caps.entry((*name).to_owned()).or_default();
        }
        let all = self.content.attributes.iter().enumerate();
        for (_, attribute) in all.filter(|(number, _)| badge.has_attribute(*number)) {
            for name in &attribute.names {
                caps.entry(name.clone()).or_default();
                if name == "funnel" {
                    caps.entry(FUNNEL_PORTS.to_owned()).or_default();
                }
            }
            for (name, parameters) in &attribute.apps {
                let known = caps.entry(name.clone()).or_default();
                match parameters {
                    Value::Array(list) => known.extend(list.iter().cloned()),
                    Value::Null => {}
                    other => known.push(other.clone()),
                }
            }
        }
        caps
    }

    /// Whether an attribute of this name is among the badge's.
    pub fn has_attribute(&self, badge: &Badge, name: &str) -> bool {
        let all = self.content.attributes.iter().enumerate();
        let mut own = all.filter(|(number, _)| badge.has_attribute(*number));
        own.any(|(_, attribute)| attribute.names.iter().any(|known| known == name))
    }

    /// What nodes with this badge do at NextDNS. Of several profiles the first in the order of the alphabet counts.
    pub fn nextdns(&self, badge: &Badge) -> NextDns<'_> {
        let own =
            self.content.attributes.iter().enumerate().filter(|(number, _)| badge.has_attribute(*number));
        let said: Vec<&str> = own
            .flat_map(|(_, attribute)| &attribute.names)
            .filter_map(|name| name.strip_prefix(NEXTDNS))
            .filter(|what| says_something_to_nextdns(what))
            .collect();
        NextDns {
            profile: said.iter().copied().filter(|what| *what != NO_DEVICE).min(),
            tells_device: !said.contains(&NO_DEVICE),
        }
    }

    /// The pools that the address of a new node with these tags or this owner comes from, in the order of the policy;
    /// none when it is free to be anywhere outside of all pools.
    pub fn pools(&self, tags: &[Tag], login: Option<&str>) -> Vec<Ipv4Net> {
        let login = login.map(str::to_lowercase);
        let means =
            |alias: &Alias| *alias == Alias::Any || self.content.covers(alias, tags, login.as_deref());
        let own = self.content.attributes.iter().filter(|attribute| attribute.targets.iter().any(means));
        own.flat_map(|attribute| attribute.pools.iter().copied()).collect()
    }

    /// Whether some pool has the address.
    pub fn is_pooled(&self, address: Ipv4Addr) -> bool {
        let mut pools = self.content.attributes.iter().flat_map(|attribute| &attribute.pools);
        pools.any(|pool| pool.contains(&address))
    }

    /// The capability by which Macs are told how to route the mesh, where the policy says so.
    pub fn mac_route(&self) -> Option<&'static str> {
        self.content.mac_route
    }
}
