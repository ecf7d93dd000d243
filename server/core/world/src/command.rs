//! What may be asked of a World, and what is answered. Nothing here carries a secret.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ident::{ApiKeyId, AuthKeyId, DiscoKey, MachineKey, NodeId, NodeKey, Scopes, Tag, UserId};
use ipnet::IpNet;
use jiff::Timestamp;
use wire::Hostinfo;

use crate::{Bootstrap, Nameserver, Prepared, Records, Role, Settings, Verifier};

/// What a decision may know of the world outside.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// The time of the batch.
    pub now: Timestamp,
    /// A random number for the batch, for spreading things out. No secret is made of it.
    pub rng: u64,
}

impl Context {
    /// A number below `most` that is another one for each subject, and the same whenever the context is.
    pub(crate) fn spread(&self, subject: u64, most: u64) -> u64 {
        // The finaliser of SplitMix64.
        let mut mixed = self.rng ^ subject.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % most.max(1)
    }
}

/// A presented key, reduced at the door to an id and a digest.
#[derive(Debug, Clone)]
pub struct KeyProof {
    /// Which key it claims to be.
    pub id: AuthKeyId,
    /// What its secret hashes to.
    pub verifier: Verifier,
}

/// A device that wants in, as its Noise session and its request say.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The caller, proved by the Noise handshake.
    pub machine: MachineKey,
    /// The key to register.
    pub node_key: NodeKey,
    /// The key before, on rotation.
    pub old_node_key: Option<NodeKey>,
    /// The presented key, if any.
    pub proof: Option<KeyProof>,
    /// What the device says of itself, cleaned.
    pub hostinfo: Arc<Hostinfo>,
    /// Whether the device asks to be forgotten when it goes away.
    pub ephemeral: bool,
    /// An earlier expiry that the device asks for.
    pub expiry: Option<Timestamp>,
    /// Capability version.
    pub capver: u32,
}

/// Whose device one becomes that somebody lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewOwner {
    /// This person's; or, when it asks for tags that the person may give, that of these tags.
    User(UserId),
    /// That of the role's tags.
    Role(String),
    /// Whose it was under the key that it brought before.
    Same,
}

/// What a device reports while it is registered.
#[derive(Debug, Clone)]
pub struct NodeReport {
    /// The caller, proved by the Noise handshake.
    pub machine: MachineKey,
    /// The node it speaks for.
    pub node_key: NodeKey,
    /// None when the request leaves it as it was.
    pub hostinfo: Option<Arc<Hostinfo>>,
    /// None when the request leaves them as they were; otherwise sorted, without duplicates.
    pub endpoints: Option<Vec<SocketAddr>>,
    /// None when the request leaves it as it was.
    pub disco: Option<DiscoKey>,
    /// None when the request leaves it as it was.
    pub home_derp: Option<u16>,
    /// Capability version.
    pub capver: u32,
}

/// What to change of who is asked for which names; the rest stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DnsEdit {
    /// Whether clients answer for the tailnet's domain.
    pub magic: Option<bool>,
    /// Whether the global nameservers take the place of a machine's own.
    pub override_local: Option<bool>,
    /// All global nameservers.
    pub resolvers: Option<Vec<Nameserver>>,
    /// Nameservers by suffix; none of them takes the suffix away.
    pub split: BTreeMap<String, Vec<Nameserver>>,
    /// All suffixes to search.
    pub search: Option<Vec<String>>,
}

/// A wish.
#[derive(Debug, Clone)]
pub enum Command {
    /// A device wants in, or asks whether it still is.
    Register(Registration),
    /// Somebody who may has looked at a device that waits, and lets it in.
    ApproveLogin { login: Registration, owner: NewOwner },
    /// Somebody who may has looked at a device that waits, and refuses it.
    DenyLogin { login: Registration },
    /// A device leaves.
    Logout { machine: MachineKey, node_key: NodeKey },
    /// A device says what has changed about it.
    Report(NodeReport),
    /// A map stream has opened.
    StreamOpened { node: NodeId, instance: u64, epoch: u64 },
    /// A map stream has ended.
    StreamClosed { node: NodeId, instance: u64, epoch: u64 },
    /// A connected node was asked whether it is there. What is said of another stream than the one that it holds counts
    /// for nothing.
    Questioned { node: NodeId, instance: u64, epoch: u64, answered: bool },
    /// After a start: nodes that were connected when the server stopped are given until then to come back, and each up to
    /// a third longer, so that those who do not are not all announced at once.
    ExpectReturn { nodes: Vec<NodeId>, until: Timestamp },
    /// The configuration was read again.
    TakeSettings { settings: Box<Settings> },
    /// A deadline of [`crate::World::next_deadline`] may have passed.
    Tick,

    /// Make a person known.
    CreateUser { login: String, display_name: String },
    /// Give a person another login.
    RenameUser { id: UserId, login: String },
    /// Forget a person who owns nothing.
    DeleteUser { id: UserId },

    /// Give a node another name.
    RenameNode { id: NodeId, name: String },
    /// Give a node other tags.
    TagNode { id: NodeId, tags: Vec<Tag> },
    /// Stop accepting a node's key from now on.
    ExpireNode { id: NodeId },
    /// Accept a node's key until then; or for ever, and every key that it comes back with.
    SetNodeExpiry { id: NodeId, expiry: Option<Timestamp> },
    /// Make a node this person's, without tags.
    MoveNode { id: NodeId, user: UserId },
    /// A person has looked at a login by SSH that a rule wants confirmed.
    ConfirmLogin { from: NodeId, to: NodeId, user: String, allowed: bool },
    /// Forget a node.
    DeleteNode { id: NodeId },
    /// Say which of a node's routes may be used: all that it names, and no others.
    ApproveRoutes { id: NodeId, routes: BTreeSet<IpNet> },

    /// Make or change a role.
    SetRole { role: Role },
    /// Forget a role; its keys stay.
    DeleteRole { name: String },
    /// Make or change all of these roles, or none; with `prune`, forget every other.
    ApplyRoles { roles: Vec<Role>, prune: bool },
    /// Make a pre-auth key.
    CreateAuthKey {
        role: String,
        user: Option<UserId>,
        verifier: Verifier,
        expires: Option<Timestamp>,
        reusable: Option<bool>,
        ephemeral: Option<bool>,
        allow_no_access: bool,
    },
    /// Make a pre-auth key whose devices are this person's, where the settings allow it.
    CreateUntaggedKey {
        user: UserId,
        verifier: Verifier,
        expires: Timestamp,
        reusable: bool,
        ephemeral: bool,
    },
    /// Void a pre-auth key; devices that it let in stay.
    RevokeAuthKey { id: AuthKeyId },
    /// Make a credential of the admin API that may do no more than the one that asks; none asks for itself, and holds
    /// everything. Without scopes it may do as much.
    CreateApiKey {
        description: String,
        verifier: Verifier,
        scopes: Option<Scopes>,
        expires: Timestamp,
        by: Option<ApiKeyId>,
    },
    /// Void a credential of the admin API; the last one that could make others does not void itself.
    RevokeApiKey { id: ApiKeyId, by: Option<ApiKeyId> },
    /// A credential of the admin API opened a call.
    UsedApiKey { id: ApiKeyId },
    /// Somebody who was let in asked for what is refused; `left_out` more were refused and not noted since the last one.
    NoteRefusal { noun: &'static str, operation: String, code: String, left_out: u64 },
    /// Whoever holds a connection is about to be told this, or that it no longer holds.
    NoteNotice { text: Option<String> },
    /// A node's agent shows that the notice in force has reached the machine.
    AcknowledgeNotice { id: NodeId },
    /// What a node's agent finds is as bad, or as good, as it was not before; and which checks say so.
    NoteHealth { id: NodeId, state: &'static str, failing: Vec<String> },
    /// Everything that the server is is about to be handed out, encrypted to these.
    NoteBackup { recipients: Vec<String> },
    /// Channels are about to be opened with this key of the server; with the one before it too, for a time.
    NoteKeyRotated { key: MachineKey, before: MachineKey },
    /// The key before is about to be accepted no more; these nodes were not seen with the one after it.
    NoteKeyRetired { key: MachineKey, left_behind: Vec<NodeId> },

    /// Put a policy in force, whatever is in force.
    SetPolicy { prepared: Prepared },
    /// Put a policy in force in the place of one that was looked at, with a word about why.
    ReplacePolicy { over: Prepared, prepared: Prepared, message: String },

    /// Change who is asked for which names. What would keep clients from one of the `bootstrap` names is refused
    /// unless it is forced.
    EditDns { edit: DnsEdit, bootstrap: Vec<Bootstrap>, force: bool },
    /// Set the addresses of an extra name; a name of one label is in the tailnet's domain.
    SetDnsRecord { name: String, addresses: BTreeSet<IpAddr>, bootstrap: Vec<Bootstrap>, force: bool },
    /// Forget an extra name.
    DeleteDnsRecord { name: String },
    /// The watched file was read.
    ReadDnsRecords { records: Records, bootstrap: Vec<Bootstrap> },
}

/// How a device's request to register ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// It is in.
    Active(NodeId),
    /// Its key is no longer accepted; it must come with a new one.
    KeyExpired,
}

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Done, or there was nothing to do.
    Done,
    /// A registration was decided.
    Registered(Registered),
    /// This node is meant.
    Node(NodeId),
    /// This person is meant.
    User(UserId),
    /// This pre-auth key is meant.
    AuthKey(AuthKeyId),
    /// This API key is meant.
    ApiKey(ApiKeyId),
}
