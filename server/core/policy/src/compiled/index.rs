//! From a policy to masks: which rules each attribute of a node touches.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use ident::Tag;
use ipnet::IpNet;

use crate::{
    alias::Alias,
    compiled::{mask::Sparse, prefix::Prefixes, rule::networks},
    policy::Content,
    posture::{Guard, Traits},
};

/// The rules that one attribute touches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    /// Rules that name the attribute as a source.
    pub(crate) source: Sparse,
    /// Rules that name it as a destination.
    pub(crate) destination: Sparse,
    /// The destinations that do, numbered through all rules.
    pub(crate) entries: Sparse,
    /// The same two of rules with `via`, which hold on certain routers only.
    pub(crate) routed: Sparse,
    pub(crate) routed_entries: Sparse,
}

/// What a router with some tag carries.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carried {
    pub(crate) rules: Sparse,
    pub(crate) entries: Sparse,
}

/// Marks by attribute. The size is bounded by the number of aliases in the policy.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) everyone: Marks,
    member: Marks,
    tagged: Marks,
    pub(crate) internet: Marks,
    users: BTreeMap<String, Marks>,
    domains: BTreeMap<String, Marks>,
    groups: BTreeMap<String, Marks>,
    memberships: Arc<BTreeMap<String, Vec<String>>>,
    /// What devices are that a guard lets pass.
    guarded: BTreeMap<Guard, Index>,
    tags: BTreeMap<Tag, Marks>,
    pub(crate) prefixes: Prefixes<Marks>,
    /// Rules with `autogroup:self` among their destinations.
    pub(crate) own: Sparse,
    /// Rules that let their sources use exit nodes, by family of addresses.
    pub(crate) exits: [Sparse; 2],
    /// The same of rules with `via`.
    pub(crate) exits_via: [Sparse; 2],
    carried: BTreeMap<Tag, Carried>,
    pub(crate) entry_count: usize,
}

impl Index {
    /// Knows who is in which group, and no rule yet.
    pub(crate) fn new(content: &Content) -> Self {
        let mut memberships: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (group, logins) in &content.groups {
            for login in logins {
                memberships.entry(login.clone()).or_default().push(group.clone());
            }
        }
        Self { memberships: memberships.into(), ..Self::default() }
    }

    /// Whether something depends on what devices are like.
    pub(crate) fn has_guards(&self) -> bool {
        !self.guarded.is_empty()
    }

    /// Whether some rule names this person.
    pub(crate) fn names(&self, login: &str) -> bool {
        self.users.contains_key(login) || self.guarded.values().any(|index| index.names(login))
    }

    pub(crate) fn groups_of(&self, login: &str) -> &[String] {
        self.memberships.get(login).map(Vec::as_slice).unwrap_or_default()
    }

    /// Networks that some rule names.
    pub(crate) fn networks(&self) -> Vec<IpNet> {
        let behind = self.guarded.values().flat_map(Index::networks);
        self.prefixes.networks().chain(behind).collect()
    }

    /// The marks of devices like this one, beside those of all devices; without a device, of every kind of them.
    pub(crate) fn behind<'a>(
        &'a self,
        device: Option<Option<&'a Traits>>,
    ) -> impl Iterator<Item = &'a Index> {
        let passes = move |guard: &Guard| device.is_none_or(|traits| guard.holds(traits));
        self.guarded.iter().filter(move |(guard, _)| passes(guard)).map(|(_, index)| index)
    }

    /// Marks of everything that a node is: its tags, or else its person.
    pub(crate) fn of<'a>(
        &'a self,
        tags: &'a [Tag],
        owner: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Marks> {
        let tagged = Some(tags).filter(|tags| !tags.is_empty());
        let person = owner.filter(|_| tags.is_empty());
        let of_tags = tagged.into_iter().flat_map(|tags| self.of_tags(tags));
        of_tags.chain(person.into_iter().flat_map(|owner| self.of_person(owner)))
    }

    /// Marks of everything that a person is: member, that user, the domain, the groups.
    pub(crate) fn of_person<'a>(&'a self, login: &'a str) -> impl Iterator<Item = &'a Marks> {
        let groups = self.memberships.get(login).into_iter().flatten();
        let groups = groups.filter_map(|group| self.groups.get(group));
        let domain = login.split_once('@').and_then(|(_, domain)| self.domains.get(domain));
        std::iter::once(&self.member).chain(self.users.get(login)).chain(domain).chain(groups)
    }

    /// Marks of everything that a node with these tags is.
    pub(crate) fn of_tags<'a>(&'a self, tags: &'a [Tag]) -> impl Iterator<Item = &'a Marks> {
        std::iter::once(&self.tagged).chain(tags.iter().filter_map(|tag| self.tags.get(tag)))
    }

    /// What routers with these tags carry for rules with `via`.
    pub(crate) fn carried_by<'a>(&'a self, tags: &'a [Tag]) -> impl Iterator<Item = &'a Carried> {
        tags.iter().filter_map(|tag| self.carried.get(tag))
    }

    /// The tags that some rule names as its routers'.
    pub(crate) fn router_tags(&self) -> impl Iterator<Item = &Tag> {
        self.carried.keys()
    }

    pub(crate) fn carry(&mut self, tag: &Tag, rule: usize, entries: Range<usize>) {
        let carried = self.carried.entry(tag.clone()).or_default();
        carried.rules.insert(rule);
        entries.for_each(|entry| carried.entries.insert(entry));
    }

    /// Writes into the marks of an alias: all of them for several prefixes, none for what nobody is.
    pub(crate) fn mark(&mut self, alias: &Alias, write: impl Fn(&mut Marks)) {
        match alias {
            Alias::Any => write(&mut self.everyone),
            Alias::User(login) => write(self.users.entry(login.clone()).or_default()),
            Alias::Domain(domain) => write(self.domains.entry(domain.clone()).or_default()),
            Alias::Group(group) => write(self.groups.entry(group.clone()).or_default()),
            Alias::Tag(tag) => write(self.tags.entry(tag.clone()).or_default()),
            Alias::Member => write(&mut self.member),
            Alias::Tagged => write(&mut self.tagged),
            Alias::Internet => write(&mut self.internet),
            Alias::Prefix(_) | Alias::Range(..) | Alias::Set(_) | Alias::Anywhere => {
                networks(alias).into_iter().for_each(|net| write(self.prefixes.entry(net)));
            }
            Alias::With(alias, guard) => {
                let memberships = Arc::clone(&self.memberships);
                let new = || Self { memberships, ..Self::default() };
                self.guarded.entry(guard.clone()).or_insert_with(new).mark(alias, write);
            }
            // A person's own devices are no attribute; nobody has a role, and nothing is shared or a service.
            Alias::Own | Alias::Role(_) | Alias::Shared | Alias::Service(_) => {}
        }
    }
}
