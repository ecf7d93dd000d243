//! The fields of a Hostinfo that mean nothing here: kept as they came, as long as they are few and harmless.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};

use super::sanitised::clean;
use crate::encode::plain;

const MOST: usize = 64;
/// Bytes that they may take together.
const MOST_BYTES: usize = 16 << 10;
const MOST_TEXT: usize = 1024;

/// The fields that have a name of their own; no other one may be spelled like them.
#[rustfmt::skip]
const NAMED: [&str; 15] = [
    "IPNVersion", "OS", "OSVersion", "Hostname", "App", "ShieldsUp", "ShareeNode", "Userspace", "AppConnector",
    "RoutableIPs", "RequestTags", "Services", "NetInfo", "sshHostKeys", "Location",
];

pub(super) fn read<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<String, Value>, D::Error> {
    Ok(bounded(BTreeMap::deserialize(d)?))
}

/// Written and read again, they are the same, and no other field is changed by them.
pub(super) fn cleaned(fields: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let is_named = |key: &str| NAMED.iter().any(|name| name.eq_ignore_ascii_case(key));
    bounded(fields.into_iter().filter(|(k, _)| !is_named(k)).filter_map(clean_field).collect())
}

/// Whether a key may stay. One that had to be changed could become equal to another, and decoders that ignore case
/// take some letters outside of ASCII for letters within.
pub(super) fn is_key(key: &str) -> bool {
    key.is_ascii() && plain(key) == key
}

/// Whole numbers as they are, others to six decimals, which every decoder reads back exactly; none when it is too
/// large for that.
pub(super) fn clean_number(number: Number) -> Option<Number> {
    if !number.is_f64() {
        return Some(number);
    }
    let value = number.as_f64().filter(|v| v.abs() < 1e9)?;
    Number::from_f64((value * 1e6).round() / 1e6)
}

fn clean_field((key, value): (String, Value)) -> Option<(String, Value)> {
    if !is_key(&key) {
        return None;
    }
    Some((key, clean_value(value)?))
}

fn clean_value(value: Value) -> Option<Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => value,
        Value::Number(number) => Value::Number(clean_number(number)?),
        Value::String(mut text) => {
            clean(&mut text, MOST_TEXT);
            Value::String(text)
        }
        Value::Array(items) => items.into_iter().filter_map(clean_value).collect(),
        Value::Object(map) => map.into_iter().filter_map(clean_field).collect(),
    })
}

fn bounded(map: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut left = MOST_BYTES;
    let fits = |(key, value): &(String, Value)| match left.checked_sub(key.len() + weight(value)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    map.into_iter().filter(fits).take(MOST).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hostinfo, Location, NetInfo, Service};

    #[test]
    fn the_named_fields_are_those_of_the_type() {
        let full = Hostinfo {
            ipn_version: "x".into(),
            os: "x".into(),
            os_version: "x".into(),
            hostname: "x".into(),
            app: "x".into(),
            shields_up: true,
            sharee_node: true,
            userspace: Some(true),
            app_connector: Some(true),
            routable_ips: vec!["10.0.0.0/8".parse().unwrap()],
            request_tags: vec!["x".into()],
            services: vec![Service::default()],
            net_info: Some(NetInfo::default()),
            ssh_host_keys: vec!["x".into()],
            location: Some(Location::default()),
            other: BTreeMap::new(),
        };
        let json = serde_json::to_value(full).unwrap();
        let mut written: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut named = NAMED.to_vec();
        written.sort_unstable();
        named.sort_unstable();
        assert_eq!(written, named);
    }
}
