//! What a stream tells a node. Every key left out means "as before" within one stream.

use std::{collections::BTreeMap, sync::Arc};

use ident::NodeId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::{
    DerpMap, DnsConfig, FilterRule, Node, PeerChange, PingRequest, SshPolicy, UserProfile,
    field::{absent, none_or_empty, time},
};

/// One message of a map stream. The first that is no keepalive must carry `node`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MapResponse {
    #[serde(skip_serializing_if = "absent")]
    pub map_session_handle: String,
    #[serde(skip_serializing_if = "absent")]
    pub seq: i64,
    #[serde(skip_serializing_if = "absent")]
    pub keep_alive: bool,
    #[serde(skip_serializing_if = "absent")]
    pub ping_request: Option<PingRequest>,
    /// Self, always whole.
    #[serde(skip_serializing_if = "absent")]
    pub node: Option<Box<Node>>,
    #[serde(rename = "DERPMap", skip_serializing_if = "absent")]
    pub derp_map: Option<DerpMap>,
    /// Replaces all peers; the other peer fields of the same message are then ignored. Never sent empty,
    /// because clients disagree on what that means.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub peers: Option<Vec<Node>>,
    #[serde(skip_serializing_if = "absent")]
    pub peers_changed: Vec<Node>,
    #[serde(skip_serializing_if = "absent")]
    pub peers_removed: Vec<NodeId>,
    #[serde(skip_serializing_if = "absent")]
    pub peers_changed_patch: Vec<PeerChange>,
    /// True: last seen now; false: last seen unknown.
    #[serde(skip_serializing_if = "absent")]
    pub peer_seen_change: BTreeMap<NodeId, bool>,
    #[serde(skip_serializing_if = "absent")]
    pub online_change: BTreeMap<NodeId, bool>,
    #[serde(rename = "DNSConfig", skip_serializing_if = "absent")]
    pub dns_config: Option<DnsConfig>,
    /// Display name of the tailnet.
    #[serde(skip_serializing_if = "absent")]
    pub domain: String,
    /// `Some` and empty blocks everything. The same as the part `base` of `packet_filters`.
    #[serde(skip_serializing_if = "absent")]
    pub packet_filter: Option<Vec<FilterRule>>,
    /// Named parts; `None` deletes one, and under the name `*` all of them first.
    #[serde(skip_serializing_if = "absent")]
    pub packet_filters: BTreeMap<String, Option<Vec<FilterRule>>>,
    /// Added to those known.
    #[serde(skip_serializing_if = "absent")]
    pub user_profiles: Vec<UserProfile>,
    /// `Some` and empty clears the warnings.
    #[serde(skip_serializing_if = "absent")]
    pub health: Option<Vec<String>>,
    #[serde(rename = "SSHPolicy", skip_serializing_if = "absent")]
    pub ssh_policy: Option<Arc<SshPolicy>>,
    #[serde(deserialize_with = "time::deserialize", skip_serializing_if = "absent")]
    pub control_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "absent")]
    pub client_version: Option<Value>,
    #[serde(skip_serializing_if = "absent")]
    pub debug: Option<Debug>,
}

impl MapResponse {
    /// The message that only shows that the server lives; always the same bytes.
    pub fn keep_alive() -> Self {
        Self { keep_alive: true, ..Self::default() }
    }
}

/// Orders to the client program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Debug {
    /// Pause before the next poll, at most 300.
    #[serde(skip_serializing_if = "absent")]
    pub sleep_seconds: Option<Number>,
    /// Upload no logs while this process lives.
    #[serde(skip_serializing_if = "absent")]
    pub disable_log_tail: bool,
    /// End the process with this code.
    #[serde(skip_serializing_if = "absent")]
    pub exit: Option<i32>,
}
