//! What a node is told, in a form in which two ways to say the same are equal.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ident::NodeId;
use ipnet::IpNet;
use policy::{Device, View};
use serde_json::{Map, Value};
use wire::MapResponse;

/// Addresses of one family from the first to the last, as numbers.
type Run = (bool, u128, u128);
/// Sources and protocols.
type From = (Vec<Run>, BTreeSet<i32>);

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    ports: BTreeMap<From, BTreeSet<(String, u16, u16)>>,
    grants: BTreeSet<String>,
    peers: Option<BTreeMap<String, Routes>>,
    own: Option<Routes>,
}

/// `AllowedIPs` and `PrimaryRoutes`.
type Routes = (BTreeSet<IpNet>, BTreeSet<IpNet>);

impl Told {
    pub fn of_map(map: &MapResponse, name: impl Fn(NodeId) -> String) -> Self {
        let mut told = Self::default();
        for rule in map.packet_filters.values().flatten().flatten() {
            told.add(&serde_json::to_value(rule).unwrap());
        }
        let routes = |node: &wire::Node| {
            (node.allowed_ips.iter().copied().collect(), node.primary_routes.iter().copied().collect())
        };
        told.peers = Some(map.peers.iter().flatten().map(|peer| (name(peer.id), routes(peer))).collect());
        told.own = map.node.as_deref().map(routes);
        told
    }

    pub fn of_view(view: &View) -> Self {
        let mut told = Self::default();
        for rule in &view.filter {
            told.add(&serde_json::to_value(rule).unwrap());
        }
        let routes = |peer: &policy::Peer| (peer.allowed_ips.clone(), peer.primary_routes.clone());
        told.peers = Some(view.peers.iter().map(|(host, peer)| (host.clone(), routes(peer))).collect());
        told.own = Some(routes(&view.own));
        told
    }

    /// What a case expects of a node; peers where the corpus says that they are compared.
    pub fn of_case(expected: &Value, with_peers: bool) -> Self {
        let mut told = Self::default();
        for rule in expected["filter"].as_array().into_iter().flatten() {
            told.add(rule);
        }
        let list = |peer: &Value, key: &str| -> BTreeSet<IpNet> {
            peer[key]
                .as_array()
                .into_iter()
                .flatten()
                .map(|net| net.as_str().unwrap().parse().unwrap())
                .collect()
        };
        let peers = || {
            let peers = expected["peers"].as_object().into_iter().flatten();
            peers
                .map(|(host, p)| (host.clone(), (list(p, "allowed_ips"), list(p, "primary_routes"))))
                .collect()
        };
        told.peers = with_peers.then(peers);
        told
    }

    pub fn nothing_but_itself(device: &Device) -> Self {
        let subnets = device.routes.iter().filter(|route| route.prefix_len() > 0).copied();
        let addresses = [IpAddr::from(device.v4), device.v6.into()].map(IpNet::from);
        let allowed = addresses.into_iter().chain(device.routes.iter().copied()).collect();
        Self { peers: Some(BTreeMap::new()), own: Some((allowed, subnets.collect())), ..Self::default() }
    }

    /// What of this the other says differently; what this does not know is not compared.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let mut wrong = Vec::new();
        let mut same = |what: &str, equal: bool, right: String, is: String| {
            wrong.extend((!equal).then(|| format!("{what}\n   is {is}\n  not {right}")));
        };
        let texts = |told: &Self| (format!("{:?}", told.ports), format!("{:?}", told.grants));
        same("ports", self.ports == other.ports, texts(self).0, texts(other).0);
        same("grants", self.grants == other.grants, texts(self).1, texts(other).1);
        let peers = self.peers.is_none() || self.peers == other.peers;
        same("peers", peers, format!("{:?}", self.peers), format!("{:?}", other.peers));
        let own = self.own.is_none() || self.own == other.own;
        same("itself", own, format!("{:?}", self.own), format!("{:?}", other.own));
        (!wrong.is_empty()).then(|| wrong.join("\n"))
    }

    /// Rules with the same sources and protocols are one. A rule that opens nothing to nobody is none.
    fn add(&mut self, rule: &Value) {
        let list = |key: &str| rule[key].as_array().cloned().unwrap_or_default();
        let sources = runs(list("SrcIPs").iter().map(|text| text.as_str().unwrap()));
        if sources.is_empty() {
            return;
        }
        for grant in list("CapGrant") {
            let mut dsts: Vec<_> =
                grant["Dsts"].as_array().unwrap().iter().map(ToString::to_string).collect();
            dsts.sort();
            let caps = grant["CapMap"].as_object().unwrap().iter();
            let caps: Map<_, _> = caps.map(|(name, value)| (name.clone(), parameters(value))).collect();
            self.grants.insert(format!("{sources:?} {dsts:?} {}", Value::Object(caps)));
        }
        let protocols = list("IPProto").iter().map(|number| number.as_i64().unwrap() as i32).collect();
        let number = |value: &Value| value.as_u64().unwrap() as u16;
        let opened = list("DstPorts").into_iter().map(|to| {
            let (first, last) = (number(&to["Ports"]["First"]), number(&to["Ports"]["Last"]));
            (to["IP"].as_str().unwrap().to_owned(), first, last)
        });
        let opened: BTreeSet<_> = opened.collect();
        if !opened.is_empty() {
            self.ports.entry((sources, protocols)).or_default().extend(opened);
        }
    }
}

/// A capability without parameters is written as null or as an empty list.
fn parameters(value: &Value) -> Value {
    let none = || Value::Array(Vec::new());
    if value.is_null() { none() } else { value.clone() }
}

/// The texts of sources as addresses without gaps between neighbours.
fn runs<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<Run> {
    let mut runs: Vec<Run> = texts.flat_map(run).collect();
    runs.sort_unstable();
    let mut out: Vec<Run> = Vec::new();
    for (is_v6, first, last) in runs {
        match out.last_mut() {
            Some(before) if before.0 == is_v6 && first <= before.2.saturating_add(1) => {
                before.2 = before.2.max(last)
            }
            _ => out.push((is_v6, first, last)),
        }
    }
    out
}

fn run(text: &str) -> Vec<Run> {
    let number = |address: IpAddr| match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => v6.into(),
    };
    let of = |first: IpAddr, last: IpAddr| (first.is_ipv6(), number(first), number(last));
    if text == "*" {
        return vec![(false, 0, u32::MAX.into()), (true, 0, u128::MAX)];
    }
    if let Some((first, last)) = text.split_once('-') {
        return vec![of(first.parse().unwrap(), last.parse().unwrap())];
    }
    match text.parse::<IpNet>() {
        Ok(net) => vec![of(net.network(), net.broadcast())],
        Err(_) => {
            let address = text.parse().unwrap();
            vec![of(address, address)]
        }
    }
}
