//! What a client tells about the machine it runs on.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{NetInfo, Service, encode::plain, field::absent};

const MOST_ROUTES: usize = 1024;
const MOST_SERVICES: usize = 256;
const MOST_TAGS: usize = 64;
const MOST_HOST_KEYS: usize = 16;
const MOST_LATENCIES: usize = 1024;
const MOST_OTHERS: usize = 64;
/// Bytes that the fields without a name here may take together.
const OTHERS_BYTES: usize = 16 << 10;
const SHORT: usize = 128;
const LONG: usize = 1024;

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
    #[serde(skip_serializing_if = "absent")]
    pub location: Option<Value>,
    /// Fields that mean nothing here, under their usual spelling.
    #[serde(flatten, deserialize_with = "others")]
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
            services: self.services.iter().filter(|s| s.proto.starts_with("peerapi")).cloned().collect(),
            ssh_host_keys: self.ssh_host_keys.clone(),
            location: self.location.clone(),
            ..Self::default()
        }
    }

    /// The same with every text and list cut to a sane length, and texts without control characters, quotes and
    /// backslashes. Sanitising twice changes nothing more.
    pub fn sanitised(mut self) -> Self {
        for text in [&mut self.ipn_version, &mut self.os, &mut self.os_version, &mut self.app] {
            clean(text, SHORT);
        }
        clean(&mut self.hostname, 2 * SHORT);
        self.routable_ips.truncate(MOST_ROUTES);
        clean_list(&mut self.request_tags, MOST_TAGS, SHORT);
        clean_list(&mut self.ssh_host_keys, MOST_HOST_KEYS, LONG);
        self.services.truncate(MOST_SERVICES);
        for service in &mut self.services {
            clean(&mut service.proto, SHORT);
            clean(&mut service.description, SHORT);
        }
        self.net_info = self.net_info.map(clean_net_info);
        self.location = self.location.map(clean_value);
        self.other = bounded(self.other.into_iter().map(|(k, v)| (plain(&k), clean_value(v))).collect());
        self
    }
}

fn clean(text: &mut String, most_bytes: usize) {
    let cleaned = plain(text);
    let end = cleaned.floor_char_boundary(most_bytes);
    cleaned[..end].clone_into(text);
}

fn clean_list(list: &mut Vec<String>, most: usize, most_bytes: usize) {
    list.truncate(most);
    for text in list {
        clean(text, most_bytes);
    }
}

fn clean_net_info(mut net: NetInfo) -> NetInfo {
    clean(&mut net.link_type, SHORT);
    clean(&mut net.firewall_mode, SHORT);
    let tidy = net.derp_latency.into_iter().filter(|(k, _)| k.len() <= 32).map(|(k, v)| (plain(&k), v));
    net.derp_latency = tidy.take(MOST_LATENCIES).collect();
    net
}

fn clean_value(value: Value) -> Value {
    match value {
        Value::String(mut text) => {
            clean(&mut text, LONG);
            Value::String(text)
        }
        Value::Array(items) => items.into_iter().map(clean_value).collect(),
        Value::Object(map) => map.into_iter().map(|(k, v)| (plain(&k), clean_value(v))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
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

fn others<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<String, Value>, D::Error> {
    Ok(bounded(BTreeMap::deserialize(d)?))
}

fn bounded(map: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut left = OTHERS_BYTES;
    let fits = |(key, value): &(String, Value)| match left.checked_sub(key.len() + weight(value)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    map.into_iter().filter(fits).take(MOST_OTHERS).collect()
}

/// About the bytes of its JSON.
fn weight(value: &Value) -> usize {
    2 + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(map) => map.iter().map(|(k, v)| k.len() + weight(v)).sum(),
    }
}
