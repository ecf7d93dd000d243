//! A device: what it is for good, and what it last said of itself.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use ident::{AuthKeyId, DiscoKey, MachineKey, NodeId, NodeKey, UserId};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::Timestamp;
use policy::{Badge, Traits};
use serde::{Deserialize, Serialize};
use wire::Hostinfo;

use super::Owner;
use crate::ClassId;

/// What an exit node serves.
const EXITS: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
];

/// Whether the node takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Registered.
    Active,
    /// The device logged out: it keeps id and addresses, and nobody sees it until it registers again.
    LoggedOut,
}

/// Whether the node holds a map stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A stream is open on that instance; only the session with this epoch can close it.
    Connected {
        /// The instance that holds the stream.
        instance: u64,
        /// Which session of the node it is.
        epoch: u64,
    },
    /// The stream ended a moment ago; to its peers the node is still online.
    Leaving {
        /// When it counts as gone.
        until: Timestamp,
        /// When others take over the routes that they can serve in its place.
        routes_until: Timestamp,
    },
    /// No stream.
    Offline,
}

/// What a node last said of itself and what is seen of it: last-value fields, rebuilt by its next report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Path-discovery key.
    pub disco: Option<DiscoKey>,
    /// UDP addresses where it may be reached, sorted.
    pub endpoints: Vec<SocketAddr>,
    /// Home relay region; 0 when unknown.
    pub home_derp: u16,
    /// The client's capability version.
    pub capver: u32,
    /// Whether it holds a stream.
    pub presence: Presence,
    /// When its last stream ended.
    pub last_seen: Option<Timestamp>,
    /// Whether routes can be trusted to it: not while it leaves a question unanswered or has been without a stream for
    /// more than a moment. A new stream or an answer makes it good again.
    pub responsive: bool,
}

impl Default for Live {
    fn default() -> Self {
        let presence = Presence::Offline;
        Self {
            disco: None,
            endpoints: Vec::new(),
            home_derp: 0,
            capver: 0,
            presence,
            last_seen: None,
            responsive: true,
        }
    }
}

/// A device. What events state is serialised; what is derived or volatile is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Never used again.
    pub id: NodeId,
    /// The caller of every request that names this node.
    pub machine: MachineKey,
    /// Its WireGuard key.
    pub node_key: NodeKey,
    /// MagicDNS label, unique in the tailnet.
    pub name: String,
    /// Whether an operator chose the name: the device's own host name no longer changes it.
    pub renamed: bool,
    /// Whose device it is.
    pub owner: Owner,
    /// The person responsible for a tagged device; grants nothing.
    pub responsible: Option<UserId>,
    /// The key it registered with.
    pub auth_key: Option<AuthKeyId>,
    /// Its address in 100.64.0.0/10.
    pub v4: Ipv4Addr,
    /// Its address in fd7a:115c:a1e0::/48.
    pub v6: Ipv6Addr,
    /// When it first registered.
    pub created: Timestamp,
    /// When its node key stops being accepted; none for never.
    pub key_expiry: Option<Timestamp>,
    /// Whether an operator let its keys be accepted for ever, those to come too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never_expires: bool,
    /// Whether it is deleted when it goes away.
    pub ephemeral: bool,
    /// Whether it takes part.
    pub lifecycle: Lifecycle,
    /// Routes that an operator lets it serve.
    pub approved_routes: BTreeSet<IpNet>,
    /// Routes that the policy in force lets it serve by itself; goes with tags and policy.
    #[serde(skip)]
    pub auto_routes: BTreeSet<IpNet>,
    /// What it said of itself, without NetInfo.
    pub hostinfo: Arc<Hostinfo>,
    /// Last-value fields.
    #[serde(skip)]
    pub live: Live,
    /// Viewer class; none when nobody sees it.
    #[serde(skip)]
    pub class: Option<ClassId>,
    /// The rules of SSH and the attributes of the policy that concern it.
    #[serde(skip)]
    pub badge: Badge,
    /// Whether its key has expired by the last look at the clock.
    #[serde(skip)]
    pub expired: bool,
    /// The version of the World that changed it last.
    #[serde(skip)]
    pub rev: u64,
}

impl Node {
    /// The id that clients treat as opaque and permanent.
    pub fn stable_id(&self) -> String {
        format!("n{}", self.id)
    }
    /// Whether its peers see it online: a stream is open or ended only a moment ago.
    pub fn online(&self) -> bool {
        !matches!(self.live.presence, Presence::Offline)
    }
    /// Whether the mesh can be sent through it: accepted, online, and it offers routes.
    pub fn can_route(&self) -> bool {
        self.accepted() && self.online() && !self.hostinfo.routable_ips.is_empty()
    }
    /// Whether it is registered and its key is still good.
    pub fn accepted(&self) -> bool {
        self.lifecycle == Lifecycle::Active && !self.expired
    }
    /// Whether an operator or the policy lets it serve the route. An exit node that serves one family only leaks the
    /// other, so who may serve one may serve both.
    pub fn may_serve(&self, route: &IpNet) -> bool {
        let named = |route: &IpNet| self.approved_routes.contains(route) || self.auto_routes.contains(route);
        named(route) || (route.prefix_len() == 0 && EXITS.iter().any(named))
    }
    /// What its client told of the machine, as postures ask for it. A client leaves out that it does not update itself.
    pub fn traits(&self) -> Traits {
        let host = &self.hostinfo;
        let flag = |key: &str| host.other.get(key).and_then(serde_json::Value::as_bool);
        let told = (!host.ipn_version.is_empty()).then_some(false);
        Traits {
            host: host.hostname.clone(),
            os: host.os.clone(),
            os_version: host.os_version.clone(),
            version: host.ipn_version.clone(),
            auto_update: flag("AllowsUpdate").or(told),
            state_encrypted: flag("StateEncrypted"),
        }
    }
    /// Routes that it advertises and may serve, exit routes included.
    pub fn served_routes(&self) -> Vec<IpNet> {
        self.hostinfo.routable_ips.iter().filter(|r| self.may_serve(r)).copied().collect()
    }
    /// Served routes that can have only one primary: all but the exit routes.
    pub fn subnet_routes(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.served_routes().into_iter().filter(|r| r.prefix_len() > 0)
    }
}
