//! What has happened. Durable events are stored with the rows they change and form the log;
//! volatile ones are last-value fields that the next report of a client rebuilds.

mod trial;

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ident::{ApiKeyId, AuthKeyId, DiscoKey, MachineKey, NodeId, NodeKey, Tag, UserId};
use ipnet::IpNet;
use jiff::Timestamp;
use policy::{Compiled, Policy};
use serde::{Deserialize, Serialize};
use wire::Hostinfo;

use crate::{ApiKey, AuthKey, DnsSettings, Node, NonEmpty, Owner, Presence, Records, Role, Settings, User};

/// A policy with what was compiled from it outside the writer. Equality is equality of the text.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// As the operator wrote it.
    pub policy: Arc<Policy>,
    /// What the engine uses.
    pub compiled: Arc<Compiled>,
}

impl Prepared {
    /// Parses and compiles.
    pub fn parse(text: &str) -> Result<Self, policy::PolicyErrors> {
        Ok(Self::compile(Policy::parse(text)?))
    }
    /// Nothing reaches anything.
    pub fn deny_all() -> Self {
        Self::compile(Policy::deny_all())
    }
    fn compile(policy: Policy) -> Self {
        let compiled = Arc::new(Compiled::compile(&policy));
        Self { policy: Arc::new(policy), compiled }
    }
}

impl PartialEq for Prepared {
    fn eq(&self, other: &Self) -> bool {
        self.policy.text() == other.policy.text()
    }
}

impl Serialize for Prepared {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.policy.text())
    }
}

impl<'de> Deserialize<'de> for Prepared {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Prepared::parse(&text).map_err(|_| serde::de::Error::custom("the stored policy is not valid"))
    }
}

/// Stored before it is answered; `kind` names it in the log for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DurableEvent {
    /// A device joined.
    NodeRegistered { node: Box<Node> },
    /// A known device came back with a key: same id, same addresses. Without tags it is the device of whoever is
    /// responsible for the key.
    NodeReauthenticated {
        node: NodeId,
        node_key: NodeKey,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tags: Option<NonEmpty<Tag>>,
        responsible: Option<UserId>,
        auth_key: AuthKeyId,
        ephemeral: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expiry: Option<Timestamp>,
    },
    /// Somebody let a known device come back: same id, same addresses.
    NodeReadmitted {
        node: NodeId,
        node_key: NodeKey,
        owner: Owner,
        responsible: Option<UserId>,
        ephemeral: bool,
        expiry: Option<Timestamp>,
    },
    /// A device left of its own accord.
    NodeLoggedOut { node: NodeId },
    /// Its key is accepted until then; without a time for ever, and every key after it.
    NodeKeyExpirySet { node: NodeId, expiry: Option<Timestamp> },
    /// A device's description of itself changed.
    NodeHostinfoChanged { node: NodeId, name: String, hostinfo: Arc<Hostinfo> },
    /// An operator named a node.
    NodeRenamed { node: NodeId, name: String },
    /// An operator tagged a node.
    NodeTagged { node: NodeId, tags: NonEmpty<Tag> },
    /// A node is a person's, without tags.
    NodeMoved { node: NodeId, user: UserId, expiry: Option<Timestamp> },
    /// The approved routes of a node.
    NodeRoutesApproved { node: NodeId, routes: BTreeSet<IpNet> },
    /// A login by SSH was let through, or was not.
    LoginConfirmed { from: NodeId, to: NodeId, user: String, allowed: bool },
    /// A device that waited was refused.
    LoginDenied { machine: MachineKey, node_key: NodeKey, hostname: String },
    /// A node is forgotten.
    NodeDeleted { node: NodeId },

    /// A person is known.
    UserCreated { user: User },
    /// A person has another login.
    UserRenamed { user: UserId, login: String },
    /// A person is forgotten.
    UserDeleted { user: UserId },

    /// A role is in force.
    RoleSet { role: Role },
    /// A role is forgotten.
    RoleDeleted { name: String },
    /// A pre-auth key was made.
    AuthKeyCreated { key: AuthKey },
    /// A pre-auth key paid for a registration.
    AuthKeyUsed { key: AuthKeyId, node: NodeId, at: Timestamp },
    /// A pre-auth key is void.
    AuthKeyRevoked { key: AuthKeyId, at: Timestamp },
    /// A credential of the admin API was made.
    ApiKeyCreated { key: ApiKey },
    /// A credential of the admin API is void.
    ApiKeyRevoked { key: ApiKeyId, at: Timestamp },

    /// A call of the admin API was refused; so many more since the last entry of this kind are not in the log.
    CallRefused {
        noun: String,
        operation: String,
        code: String,
        #[serde(default)]
        left_out: u64,
    },

    /// Whoever holds a connection was told this; with none, that it no longer holds.
    NoticeGiven {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },

    /// A node's agent showed that the notice in force had reached the machine.
    NoticeAcknowledged { node: NodeId },
    /// A node's agent finds its machine as it was not before: `pass`, `warn`, `unknown` or `fail`, and the checks that
    /// say so.
    NodeHealthChanged {
        node: NodeId,
        state: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        failing: Vec<String>,
    },

    /// Everything that the server is was handed out, for these to open: their public keys.
    BackupMade { recipients: Vec<String> },

    /// The server has another Noise key; the one before it is accepted too.
    ServerKeyRotated { key: MachineKey, before: MachineKey, at: Timestamp },
    /// The server's Noise key before is accepted no more; these nodes were not seen with the one after it.
    ServerKeyRetired {
        key: MachineKey,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_behind: Vec<NodeId>,
    },

    /// A policy is in force.
    PolicySet {
        policy: Prepared,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
    },

    /// Who is asked for which names; `despite` says what was overridden.
    DnsSet {
        settings: DnsSettings,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        despite: Vec<String>,
    },
    /// An extra name; `despite` says what was overridden.
    DnsRecordSet {
        name: String,
        addresses: BTreeSet<IpAddr>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        despite: Vec<String>,
    },
    /// An extra name is forgotten.
    DnsRecordDeleted { name: String },
    /// The watched file has these names.
    DnsRecordsRead { records: Records },
}

/// Told to those whom it concerns, stored as a last value some seconds later.
#[derive(Debug, Clone, PartialEq)]
pub enum VolatileEvent {
    /// A node reported.
    Reported {
        node: NodeId,
        endpoints: Vec<SocketAddr>,
        disco: Option<DiscoKey>,
        home_derp: u16,
        capver: u32,
    },
    /// A stream opened, ended, or has been gone for long enough.
    PresenceChanged { node: NodeId, presence: Presence, last_seen: Option<Timestamp> },
    /// Routes can be trusted to a node again, or no more.
    Responsive { node: NodeId, responsive: bool },
    /// The clock has passed a node's key expiry.
    KeyExpired { node: NodeId },
    /// Which node serves a subnet route; with a tag, to those whom a rule sends by routers with that tag.
    RoutePrimary { prefix: IpNet, via: Option<Tag>, node: Option<NodeId> },
    /// The configuration says something else.
    SettingsTaken { settings: Box<Settings> },
    /// An API key opened a call.
    ApiKeyUsed { key: ApiKeyId, at: Timestamp },
}

/// What a decision states.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Goes into the log.
    Durable(DurableEvent),
    /// Does not.
    Volatile(VolatileEvent),
}

impl From<DurableEvent> for Event {
    fn from(e: DurableEvent) -> Self {
        Event::Durable(e)
    }
}
impl From<VolatileEvent> for Event {
    fn from(e: VolatileEvent) -> Self {
        Event::Volatile(e)
    }
}
