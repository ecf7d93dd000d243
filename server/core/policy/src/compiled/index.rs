//! From a policy to masks: which rules each attribute of a node touches.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use ident::Tag;
use ipnet::IpNet;

use crate::{
    Rule, SourceRange, SourceSet,
    alias::Alias,
    compiled::{mask::Sparse, prefix::Prefixes},
    policy::{Acl, Content},
    source,
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
}

/// Marks by attribute. The size is bounded by the number of aliases in the policy.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) everyone: Marks,
    pub(crate) member: Marks,
    pub(crate) tagged: Marks,
    pub(crate) internet: Marks,
    pub(crate) users: BTreeMap<String, Marks>,
    groups: BTreeMap<String, Marks>,
    memberships: BTreeMap<String, Vec<String>>,
    tags: BTreeMap<Tag, Marks>,
    pub(crate) prefixes: Prefixes<Marks>,
    pub(crate) entry_count: usize,
}

/// Compiles the rules of a policy.
pub(crate) fn compile(content: &Arc<Content>) -> (Vec<Rule>, Index) {
    let mut index = Index::default();
    for (group, logins) in &content.groups {
        for login in logins {
            index.memberships.entry(login.clone()).or_default().push(group.clone());
        }
    }
    let rules = content.acls.iter().enumerate();
    let rules = rules.map(|(number, acl)| rule(number, acl, content, &mut index)).collect();
    (rules, index)
}

fn rule(number: usize, acl: &Acl, content: &Content, index: &mut Index) -> Rule {
    let mut literals = SourceSet::default();
    for source in &acl.sources {
        let Some(marks) = index.marks(&source.alias) else { continue };
        marks.source.insert(number);
        match &source.alias {
            Alias::Any => {
                literals.ranges.extend(source::everyone());
                literals.approved_routes = true;
            }
            Alias::Prefix(net) => literals.ranges.push(SourceRange::Prefix(*net)),
            _ => {}
        }
    }
    literals.ranges.sort();
    literals.ranges.dedup();
    let entries = index.entries(number, acl);
    Rule {
        key: format!("r{number:04}"),
        protocols: acl.protocols.clone(),
        line: acl.line,
        literals,
        entries,
        has_source: acl.sources.iter().any(|source| content.can_match(&source.alias)),
        has_destination: acl.destinations.iter().any(|(named, _)| content.can_match(&named.alias)),
    }
}

impl Index {
    /// Marks of everything that a person is: member, that user, the groups.
    pub(crate) fn of_person<'a>(&'a self, login: &'a str) -> impl Iterator<Item = &'a Marks> {
        let groups = self.memberships.get(login).into_iter().flatten();
        let groups = groups.filter_map(|group| self.groups.get(group));
        std::iter::once(&self.member).chain(self.users.get(login)).chain(groups)
    }

    /// Marks of everything that a node with these tags is.
    pub(crate) fn of_tags<'a>(&'a self, tags: &'a [Tag]) -> impl Iterator<Item = &'a Marks> {
        std::iter::once(&self.tagged).chain(tags.iter().filter_map(|tag| self.tags.get(tag)))
    }

    fn entries(&mut self, rule: usize, acl: &Acl) -> Range<usize> {
        let first = self.entry_count;
        for (named, _) in &acl.destinations {
            let entry = self.entry_count;
            self.entry_count += 1;
            let Some(marks) = self.marks(&named.alias) else { continue };
            marks.destination.insert(rule);
            marks.entries.insert(entry);
        }
        first..self.entry_count
    }

    /// None for what a [`crate::Policy`] does not hold.
    fn marks(&mut self, alias: &Alias) -> Option<&mut Marks> {
        Some(match alias {
            Alias::Any => &mut self.everyone,
            Alias::User(login) => self.users.entry(login.clone()).or_default(),
            Alias::Group(group) => self.groups.entry(group.clone()).or_default(),
            Alias::Tag(tag) => self.tags.entry(tag.clone()).or_default(),
            Alias::Prefix(net) => self.prefixes.entry(IpNet::trunc(net)),
            Alias::Member => &mut self.member,
            Alias::Tagged => &mut self.tagged,
            Alias::Internet => &mut self.internet,
            Alias::Domain(_) | Alias::Range(..) | Alias::Set(_) | Alias::Service(_) => return None,
            Alias::Own | Alias::Anywhere | Alias::Role(_) | Alias::Shared => return None,
        })
    }
}
