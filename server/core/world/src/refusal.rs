//! Why a command is refused: the caller's fault, a stable code, words for people.

use ident::{Scopes, Tag};

/// A refusal. [`Refusal::code`] is part of the API; the text is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such thing.
    #[error("there is no {noun} {name}")]
    NotFound {
        /// user, node, key, API key, role.
        noun: &'static str,
        /// What was asked for.
        name: String,
    },
    /// The name is in use.
    #[error("the {noun} {name} exists already")]
    Exists {
        /// user, node, role.
        noun: &'static str,
        /// What was asked for.
        name: String,
    },
    /// The text is no name.
    #[error("{name:?} is no {noun} name: {rule}")]
    BadName {
        /// user, node, role.
        noun: &'static str,
        /// What was asked for.
        name: String,
        /// What a name may be.
        rule: &'static str,
    },
    /// Unknown, revoked, expired or spent: the caller is told no more than that it does not work.
    #[error("this auth key is not valid: {0}")]
    AuthKey(&'static str),
    /// A device without a key.
    #[error("this device is not registered here and brought no auth key")]
    AuthRequired,
    /// A device is let in, and nobody said whose it is.
    #[error("nobody said whose device this is, and it was nobody's before")]
    WhoseDevice,
    /// The node key belongs to another machine.
    #[error("this node key belongs to another machine")]
    NodeKeyTaken,
    /// The node named is not the caller's.
    #[error("no such node")]
    NotYourNode,
    /// Tags that the key does not carry.
    #[error("requested tags [{0}] are invalid or not permitted")]
    TagsNotPermitted(String),
    /// A tag that the policy in force does not define.
    #[error("{tag} is not in tagOwners of the policy in force")]
    UnknownTag {
        /// The tag.
        tag: Tag,
    },
    /// The role's tags open nothing.
    #[error("a device with role {role} could reach nothing, and nothing could reach it")]
    OpensNothing {
        /// The role.
        role: String,
    },
    /// Every key has a role, unless the configuration says otherwise.
    #[error("a key without tags is not made here")]
    UntaggedKey,
    /// Wider than the role allows.
    #[error("{what} is wider than role {role} allows")]
    WiderThanRole {
        /// The role.
        role: String,
        /// expiry, reusable, not ephemeral.
        what: &'static str,
    },
    /// A credential may not give what it does not hold.
    #[error("the API key of this call does not hold {scopes} itself")]
    WiderThanCaller {
        /// What it lacks.
        scopes: Scopes,
    },
    /// Nobody could make such a key again from afar.
    #[error("this is the last API key that could make another one like it, and it cannot revoke itself")]
    LastAdmin,
    /// Something still needs it.
    #[error("{noun} {name} is still used by {by}")]
    InUse {
        /// user, tag.
        noun: &'static str,
        /// Which one.
        name: String,
        /// By what.
        by: String,
    },
    /// A route that the node does not advertise.
    #[error("node {node} does not advertise {route}")]
    NotAdvertised {
        /// The node's name.
        node: String,
        /// The prefix.
        route: String,
    },
    /// A route that the policy approves by itself cannot be taken from the node alone.
    #[error("the policy itself approves {route} for node {node}")]
    ApprovedByPolicy {
        /// The node's name.
        node: String,
        /// The prefix.
        route: String,
    },
    /// A route that nobody may serve.
    #[error("{route} may not be routed: {why}")]
    NotServable {
        /// The prefix.
        route: String,
        /// What it would take over.
        why: &'static str,
    },
    /// No address is left.
    #[error("no address is free for this device")]
    PoolExhausted,
    /// The policy text is not a policy.
    #[error("the policy is not valid")]
    Policy(policy::PolicyErrors),
    /// Another policy came into force in the meantime.
    #[error("the policy in force is not the one that was edited")]
    PolicyChanged,
    /// Clients could not find what they need before the mesh is up.
    #[error("{}", dangers.join("; "))]
    DnsTrap {
        /// A sentence each.
        dangers: Vec<String>,
    },
    /// A value out of its range.
    #[error("{what}: {rule}")]
    OutOfRange {
        /// Which value.
        what: &'static str,
        /// What it may be.
        rule: &'static str,
    },
}

impl Refusal {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::NotFound { .. } => "not_found",
            Refusal::Exists { .. } => "exists",
            Refusal::BadName { .. } => "bad_name",
            Refusal::AuthKey(_) => "auth_key_invalid",
            Refusal::AuthRequired => "auth_required",
            Refusal::WhoseDevice => "whose_device",
            Refusal::NodeKeyTaken => "node_key_taken",
            Refusal::NotYourNode => "not_your_node",
            Refusal::TagsNotPermitted(_) => "tags_not_permitted",
            Refusal::UnknownTag { .. } => "unknown_tag",
            Refusal::OpensNothing { .. } => "opens_nothing",
            Refusal::UntaggedKey => "untagged_key",
            Refusal::WiderThanRole { .. } => "wider_than_role",
            Refusal::WiderThanCaller { .. } => "wider_than_caller",
            Refusal::LastAdmin => "last_admin",
            Refusal::InUse { .. } => "in_use",
            Refusal::NotAdvertised { .. } => "not_advertised",
            Refusal::ApprovedByPolicy { .. } => "approved_by_policy",
            Refusal::NotServable { .. } => "not_servable",
            Refusal::PoolExhausted => "pool_exhausted",
            Refusal::Policy(_) => "policy_invalid",
            Refusal::PolicyChanged => "policy_changed",
            Refusal::DnsTrap { .. } => "dns_trap",
            Refusal::OutOfRange { .. } => "out_of_range",
        }
    }
    /// What to do next, where there is something.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Refusal::NotFound { noun: "record", .. } => "`meshctl dns record list` shows what there is".into(),
            Refusal::DnsTrap { .. } => {
                "give that name a nameserver of its own that is reachable without the mesh (`--split NAME=ADDRESS`), or pass --force"
                    .into()
            }
            Refusal::NotFound { noun: "login to confirm", .. } => {
                "the rule that wanted it confirmed is gone; log in again".into()
            }
            Refusal::NotFound { noun: "login", .. } => {
                "`meshctl node pending` shows the devices that wait; a login waits for 15 minutes".into()
            }
            Refusal::NotFound { noun, .. } => {
                format!("`meshctl {} list` shows what there is", noun.replace("API key", "apikey"))
            }
            Refusal::AuthKey(_) => "make a fresh one with `meshctl key create --role ROLE`".into(),
            Refusal::AuthRequired => {
                "make one with `meshctl key create --role ROLE` and pass it with `tailscale up --auth-key=…`"
                    .into()
            }
            Refusal::WhoseDevice => "add --user LOGIN or --role ROLE".into(),
            Refusal::UnknownTag { tag } => {
                format!("add \"{tag}\": [] to tagOwners, then `meshctl policy set FILE`")
            }
            Refusal::OpensNothing { .. } => {
                "add a rule for its tags to the policy, or pass --allow-no-access".into()
            }
            Refusal::UntaggedKey => "make one with the tags of a role: `meshctl role list`".into(),
            Refusal::WiderThanRole { role, .. } => format!("`meshctl role show {role}` shows its limits"),
            Refusal::WiderThanCaller { .. } => {
                "leave those scopes out, or make the key with a credential that holds them".into()
            }
            Refusal::LastAdmin => {
                "make its successor first, or revoke it on the server's machine over the local socket".into()
            }
            Refusal::ApprovedByPolicy { .. } => {
                "change autoApprovers in the policy (`meshctl policy set FILE`), or the node's tags".into()
            }
            Refusal::PolicyChanged => {
                "somebody else was faster: `meshctl policy get` shows theirs, `meshctl policy history` who it was".into()
            }
            Refusal::InUse { noun: "tag", .. } => "change or delete the role first".into(),
            Refusal::InUse { .. } => "move or delete what uses it first".into(),
            Refusal::PoolExhausted => {
                "give its tags a larger ipPool in nodeAttrs of the policy, or delete nodes that are gone"
                    .into()
            }
            _ => return None,
        })
    }
}
