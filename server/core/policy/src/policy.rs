//! A policy that makes sense: its text and what the text says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ident::Tag;
use ipnet::{IpNet, Ipv4Net};

use crate::{
    PolicyErrors, PortRange,
    alias::{Alias, Named},
    parse,
    posture::Supposed,
};

/// Longest text that is read.
pub const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting that is read.
pub const MAX_DEPTH: usize = 32;
/// Most rules that are taken.
pub const MAX_RULES: usize = 10_000;

/// Most addresses, names and networks that the rules may stand for in all.
const MAX_NAMED: usize = 200_000;
pub(crate) const TOO_MUCH: &str = "the rules up to this one name more than 200000 networks; a set counts with each of its networks, for every rule";

const DENY_ALL: &str = "// Nothing reaches anything.\n{}\n";

/// A policy, parsed and free of mistakes; cheap to clone.
#[derive(Debug, Clone)]
pub struct Policy {
    text: Arc<str>,
    content: Arc<Content>,
}

/// What the sections say, with every name resolved.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// Logins by group.
    pub(crate) groups: BTreeMap<String, Vec<String>>,
    pub(crate) tag_owners: BTreeMap<Tag, Vec<Alias>>,
    /// `acls`, then what `grants` open at the network, a rule per protocol.
    pub(crate) acls: Vec<Acl>,
    pub(crate) approvers: Vec<(IpNet, Vec<Alias>)>,
    pub(crate) exit_approvers: Vec<Alias>,
    /// Neither `acls` nor `grants` stand there: to the reference that opens everything.
    pub(crate) opens_all: bool,
    /// What `grants` give to applications.
    pub(crate) apps: Vec<App>,
    pub(crate) ssh: Vec<Ssh>,
    pub(crate) attributes: Vec<Attribute>,
    /// Capabilities of every node.
    pub(crate) everywhere: Vec<&'static str>,
    /// How Macs route the mesh: a capability.
    pub(crate) mac_route: Option<&'static str>,
    pub(crate) relays: Relays,
    pub(crate) trials: Vec<Trial>,
    pub(crate) logins: Vec<LoginTrial>,
    /// What the rules stand for so far; bounds what compiling them costs.
    pub(crate) named: usize,
}

#[derive(Debug)]
pub(crate) struct Acl {
    pub(crate) line: u32,
    pub(crate) protocols: Vec<i32>,
    pub(crate) sources: Vec<Named>,
    pub(crate) destinations: Vec<(Named, Vec<PortRange>)>,
    /// Tags of the routers that may carry it; empty is any.
    pub(crate) via: Vec<Tag>,
}

/// Capabilities that sources have on destinations.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) line: u32,
    pub(crate) sources: Vec<Alias>,
    pub(crate) destinations: Vec<Alias>,
    /// The two sides in the policy's own words.
    pub(crate) source_texts: Vec<String>,
    pub(crate) destination_texts: Vec<String>,
    /// By name; null where the capability has no parameters.
    pub(crate) caps: BTreeMap<String, serde_json::Value>,
}

/// The tailnet's own relays.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Relays {
    /// Those of the server are not used.
    pub(crate) alone: bool,
    /// By number; none takes one of the server's away.
    pub(crate) regions: BTreeMap<u32, Option<serde_json::Value>>,
    /// Factors on the measured latency of regions by their numbers.
    pub(crate) scores: BTreeMap<u32, serde_json::Number>,
}

/// A rule of `ssh`.
#[derive(Debug)]
pub(crate) struct Ssh {
    /// Line and column, both from 1.
    pub(crate) place: (u32, u32),
    pub(crate) checks: bool,
    /// How long one confirmation is good for; zero when each login is confirmed by itself.
    pub(crate) period_seconds: u64,
    pub(crate) sources: Vec<Alias>,
    pub(crate) destinations: Vec<Alias>,
    pub(crate) users: Vec<SshUser>,
    pub(crate) accept_env: Vec<String>,
    /// Domains of `user:*@` and `localpart:*@`, which must be the tailnet's.
    pub(crate) domains: Vec<String>,
    pub(crate) recording: Option<Recording>,
}

/// Who keeps what is shown in a session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Recording {
    /// Tags of the recorders, each once.
    pub(crate) by: Vec<Tag>,
    /// Nobody is let in, or stays in, unrecorded.
    pub(crate) enforced: bool,
}

/// Whom a login may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SshUser {
    Name(String),
    /// `autogroup:nonroot`
    NonRoot,
    /// `localpart:*@domain`: the name of the person within this domain.
    LocalPart(String),
}

/// What nodes get by `nodeAttrs`.
#[derive(Debug, PartialEq)]
pub(crate) struct Attribute {
    pub(crate) line: u32,
    pub(crate) targets: Vec<Alias>,
    pub(crate) names: Vec<String>,
    /// Parameters of applications by capability.
    pub(crate) apps: BTreeMap<String, serde_json::Value>,
    /// Where the addresses of new nodes come from.
    pub(crate) pools: Vec<Ipv4Net>,
}

/// An alias, or why it is none.
pub(crate) type Tried<T> = Result<T, String>;

/// An entry of `tests`. What it names wrongly makes it fail, not the parsing.
#[derive(Debug)]
pub(crate) struct Trial {
    /// Line and column, both from 1.
    pub(crate) place: (u32, u32),
    pub(crate) source: (String, Tried<Alias>),
    pub(crate) protocol: Tried<Option<i32>>,
    pub(crate) accept: Vec<Aim>,
    pub(crate) deny: Vec<Aim>,
    /// What the source is taken to be; none is as it is.
    pub(crate) supposed: Option<Supposed>,
}

/// A destination of a test, as written and as understood.
#[derive(Debug)]
pub(crate) struct Aim {
    pub(crate) text: String,
    pub(crate) what: Tried<(Alias, Vec<PortRange>)>,
}

/// An entry of `sshTests`.
#[derive(Debug)]
pub(crate) struct LoginTrial {
    /// Line and column, both from 1.
    pub(crate) place: (u32, u32),
    pub(crate) source: (String, Tried<Alias>),
    pub(crate) destinations: Vec<(String, Tried<Alias>)>,
    pub(crate) accept: Vec<String>,
    pub(crate) deny: Vec<String>,
    pub(crate) check: Vec<String>,
    /// What the source is taken to be; none is as it is.
    pub(crate) supposed: Option<Supposed>,
}

/// What a policy says of relays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Relaying<'a> {
    /// Those of the server are not used.
    pub alone: bool,
    /// By number; none takes one of the server's away.
    pub regions: &'a BTreeMap<u32, Option<serde_json::Value>>,
    /// Factors on the measured latency of regions by their numbers, above 0; a region below 1 is preferred as home.
    pub scores: &'a BTreeMap<u32, serde_json::Number>,
}

impl Policy {
    /// Reads a policy in HuJSON (JSON with comments and trailing commas). All mistakes are reported at once, each with
    /// its place. Refused: more than [`MAX_BYTES`], deeper than [`MAX_DEPTH`], more than [`MAX_RULES`] rules.
    pub fn parse(text: &str) -> Result<Self, PolicyErrors> {
        let (content, findings) = parse::parse(text);
        findings.of_server()?;
        Ok(Self { text: text.into(), content: Arc::new(content) })
    }

    /// The policy in force where none was given: nothing reaches anything.
    pub fn deny_all() -> Self {
        Self { text: DENY_ALL.into(), content: Arc::default() }
    }

    /// The relays that clients are told of: how those of the server are changed. Regions by number, as in a DERP map;
    /// none takes one away.
    pub fn relays(&self) -> Option<Relaying<'_>> {
        let Relays { alone, regions, scores } = &self.content.relays;
        let says = *alone || !regions.is_empty() || !scores.is_empty();
        says.then_some(Relaying { alone: *alone, regions, scores })
    }

    /// The text, as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether `tagOwners` names the tag.
    pub fn defines_tag(&self, tag: &Tag) -> bool {
        self.content.tag_owners.contains_key(tag)
    }

    /// The tags that `tagOwners` names, ascending.
    pub fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.content.tag_owners.keys()
    }

    /// Whether the user may put the tag on a device: it is theirs, or a tag owns it that is. False for a tag that the
    /// policy does not define.
    pub fn may_own(&self, login: &str, tag: &Tag) -> bool {
        let login = login.to_lowercase();
        let (mut seen, mut left) = (BTreeSet::from([tag]), vec![tag]);
        while let Some(tag) = left.pop() {
            let owners = self.content.tag_owners.get(tag).map(Vec::as_slice).unwrap_or_default();
            if owners.iter().any(|owner| self.content.covers(owner, &[], Some(&login))) {
                return true;
            }
            let above = owners.iter().filter_map(|owner| match owner {
                Alias::Tag(tag) => Some(tag),
                _ => None,
            });
            left.extend(above.filter(|tag| seen.insert(tag)));
        }
        false
    }

    pub(crate) fn content(&self) -> &Arc<Content> {
        &self.content
    }
}

impl Content {
    /// Whether the rules may name so much more, which is counted.
    pub(crate) fn has_room(&mut self, more: usize) -> bool {
        self.named = self.named.saturating_add(more);
        self.named <= MAX_NAMED
    }

    /// Whether an alias means a node with these tags or, without tags, this owner (login in lower case).
    /// Aliases by address and `*` mean nobody here.
    pub(crate) fn covers(&self, alias: &Alias, tags: &[Tag], owner: Option<&str>) -> bool {
        let owner = owner.filter(|_| tags.is_empty());
        match alias {
            Alias::User(login) => owner == Some(login),
            Alias::Group(group) => {
                let members = self.groups.get(group);
                members.zip(owner).is_some_and(|(members, owner)| members.iter().any(|m| m == owner))
            }
            Alias::Tag(tag) => tags.contains(tag),
            Alias::Member => owner.is_some(),
            Alias::Tagged => !tags.is_empty(),
            Alias::Domain(domain) => {
                owner.and_then(|owner| owner.split_once('@')).is_some_and(|o| o.1 == domain)
            }
            Alias::Any | Alias::Prefix(_) | Alias::Range(..) | Alias::Set(_) => false,
            Alias::Internet | Alias::Service(_) | Alias::Own | Alias::Anywhere => false,
            Alias::Role(_) | Alias::Shared | Alias::With(..) => false,
        }
    }

    /// Whether some node could ever match the alias on the other side of a tagged device: nobody has a role yet, other
    /// tailnets share nothing, there are no services, and a tagged device is not somebody's own.
    pub(crate) fn can_match(&self, alias: &Alias) -> bool {
        match alias {
            Alias::Group(group) => self.groups.get(group).is_some_and(|members| !members.is_empty()),
            Alias::Set(nets) => !nets.is_empty(),
            Alias::With(alias, _) => self.can_match(alias),
            Alias::Role(_) | Alias::Shared | Alias::Service(_) | Alias::Own => false,
            Alias::Any | Alias::Anywhere | Alias::Prefix(_) | Alias::Range(..) | Alias::Internet => true,
            Alias::User(_) | Alias::Domain(_) | Alias::Tag(_) | Alias::Member | Alias::Tagged => true,
        }
    }
}

impl SshUser {
    /// Whether a rule for these lets the user in.
    pub(crate) fn is_among(&self, users: &[SshUser]) -> bool {
        let is_root = matches!(self, Self::Name(name) if name == "root");
        users.contains(self) || (!is_root && users.contains(&Self::NonRoot))
    }
}

impl std::fmt::Display for SshUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::NonRoot => f.write_str("autogroup:nonroot"),
            Self::LocalPart(domain) => write!(f, "localpart:*@{domain}"),
        }
    }
}
