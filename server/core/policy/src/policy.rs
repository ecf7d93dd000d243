//! A policy that makes sense: its text and what the text says.

use std::{collections::BTreeMap, sync::Arc};

use ident::Tag;
use ipnet::IpNet;

use crate::{
    PolicyErrors, PortRange,
    alias::{Alias, Named},
    parse,
};

/// Longest text that is read.
pub const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting that is read.
pub const MAX_DEPTH: usize = 32;
/// Most rules that are taken.
pub const MAX_RULES: usize = 10_000;

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
    pub(crate) acls: Vec<Acl>,
    pub(crate) approvers: Vec<(IpNet, Vec<Alias>)>,
    pub(crate) exit_approvers: Vec<Alias>,
}

#[derive(Debug)]
pub(crate) struct Acl {
    pub(crate) line: u32,
    pub(crate) protocols: Vec<i32>,
    pub(crate) sources: Vec<Named>,
    pub(crate) destinations: Vec<(Named, Vec<PortRange>)>,
}

impl Policy {
    /// Reads a policy in HuJSON (JSON with comments and trailing commas). All mistakes are reported at once, each with
    /// its place. Refused: more than [`MAX_BYTES`], deeper than [`MAX_DEPTH`], more than [`MAX_RULES`] rules.
    pub fn parse(text: &str) -> Result<Self, PolicyErrors> {
        Ok(Self { text: text.into(), content: Arc::new(parse::parse(text)?) })
    }

    /// The policy in force where none was given: nothing reaches anything.
    pub fn deny_all() -> Self {
        Self { text: DENY_ALL.into(), content: Arc::default() }
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

    /// Whether the user may put the tag on a device; false for a tag that the policy does not define.
    pub fn may_own(&self, login: &str, tag: &Tag) -> bool {
        let login = login.to_lowercase();
        let owners = self.content.tag_owners.get(tag).map(Vec::as_slice).unwrap_or_default();
        owners.iter().any(|owner| self.content.covers(owner, &[], Some(&login)))
    }

    pub(crate) fn content(&self) -> &Arc<Content> {
        &self.content
    }
}

impl Content {
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
            Alias::Any | Alias::Prefix(_) | Alias::Internet => false,
        }
    }

    /// Whether some node could ever match the alias.
    pub(crate) fn can_match(&self, alias: &Alias) -> bool {
        match alias {
            Alias::Group(group) => self.groups.get(group).is_some_and(|members| !members.is_empty()),
            _ => true,
        }
    }
}
