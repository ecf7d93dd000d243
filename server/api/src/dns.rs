//! DNS: who is asked for which names, and names beside those of devices.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operation::{Changed, Method::*, Operation, in_tailnet};

/// What clients are told.
pub const SHOW: Operation<(), Dns> = Operation::read("dns", Get, in_tailnet!("/dns"));
/// Changes what is named and leaves the rest.
pub const SET: Operation<Edit, Changed<Dns>> = Operation::write("dns", Post, in_tailnet!("/dns"));
/// Extra names, by name.
pub const LIST: Operation<(), Records> = Operation::read("dns", Get, in_tailnet!("/dns/record"));
/// Gives an extra name these addresses and no others.
pub const SET_RECORD: Operation<SetRecord, Changed<Records>> =
    Operation::write("dns", Post, in_tailnet!("/dns/record"));
/// Forgets an extra name that was set by command.
pub const DELETE_RECORD: Operation<(), Changed<Records>> =
    Operation::write("dns", Delete, in_tailnet!("/dns/record/{name}"));

/// What clients are told. A nameserver is `IP`, `IP:port` or an `https://` URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dns {
    /// The tailnet's domain.
    pub domain: String,
    /// Whether clients answer for it.
    pub magic: bool,
    /// Whether the global nameservers take the place of those that a machine has.
    pub override_local: bool,
    /// Global nameservers.
    pub resolvers: Vec<String>,
    /// Nameservers by suffix.
    pub split: BTreeMap<String, Vec<String>>,
    /// Suffixes to try behind the tailnet's own.
    pub search: Vec<String>,
    /// Extra names.
    pub records: Vec<Record>,
    /// What keeps clients from names that they must find before the mesh is up, a sentence each.
    #[serde(default)]
    pub dangers: Vec<String>,
}

/// An extra name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// The whole name, in lower case.
    pub name: String,
    /// IPv4 before IPv6.
    pub addresses: BTreeSet<IpAddr>,
    /// `command` or `file`; a command counts where both have the name.
    pub source: String,
}

/// Several extra names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Records {
    /// In order of name.
    pub records: Vec<Record>,
}

/// What to change; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "DnsEdit")]
pub struct Edit {
    /// Whether clients answer for the tailnet's domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub magic: Option<bool>,
    /// Whether the global nameservers take the place of those that a machine has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub override_local: Option<bool>,
    /// All global nameservers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolvers: Option<Vec<String>>,
    /// Nameservers by suffix; an empty list takes the suffix away, suffixes that are not named stay.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub split: BTreeMap<String, Vec<String>>,
    /// All suffixes to search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<Vec<String>>,
    /// Do it even if clients could not find the control server or a relay any more; the log says so.
    pub force: bool,
}

/// An extra name to set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRecord {
    /// A name of one label is in the tailnet's domain.
    pub name: String,
    /// 1 to 16.
    pub addresses: BTreeSet<IpAddr>,
    /// Do it even if clients could not find the control server or a relay any more; the log says so.
    #[serde(default)]
    pub force: bool,
}
