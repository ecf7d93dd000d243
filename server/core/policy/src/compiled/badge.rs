//! What a policy makes of a node beside its reach: the rules of SSH and the attributes that concern it.

use std::{collections::BTreeMap, sync::Arc};

use ident::Tag;
use ipnet::IpNet;

use crate::{
    Compiled, Subject,
    alias::Alias,
    compiled::{
        mask::{Sparse, has, words},
        prefix::Prefixes,
    },
    policy::Content,
    posture::Guard,
    source::span,
};

/// Nodes with equal badges (of the same [`Compiled`]) may log in by the same rules of SSH, are logged in to by the same,
/// and have the same attributes. Cheap to clone and to compare. Addresses of subnets play no part.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Badge {
    /// Three sets one after the other: sources (a bit per rule of SSH), destinations (likewise), attributes.
    words: Arc<[u64]>,
    /// How many rules of SSH there are.
    logins: usize,
}

impl Badge {
    /// Whether the rule of SSH lets the node log in somewhere.
    pub fn logs_in(&self, rule: usize) -> bool {
        rule < self.logins && has(&self.words, rule)
    }

    /// Whether the rule of SSH names the node as a destination, other than by `autogroup:self`.
    pub fn is_logged_in_to(&self, rule: usize) -> bool {
        rule < self.logins && has(&self.words, self.logins + rule)
    }

    /// The rules of SSH of which the node is a source.
    pub fn logins(&self) -> impl Iterator<Item = usize> {
        (0..self.logins).filter(|rule| self.logs_in(*rule))
    }

    pub(crate) fn has_attribute(&self, number: usize) -> bool {
        has(&self.words, 2 * self.logins + number)
    }
}

/// Which bits of a badge each attribute of a node sets. The size is bounded by the number of aliases in the policy.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    logins: usize,
    bits: usize,
    everyone: Sparse,
    by_who: BTreeMap<Who, Sparse>,
    by_address: Prefixes<Sparse>,
    /// Each list of networks has a number, under which its bits stand, however many rules name it.
    sets: BTreeMap<Vec<IpNet>, usize>,
    of_set: Vec<Sparse>,
    in_sets: Prefixes<Vec<usize>>,
    memberships: BTreeMap<String, Vec<String>>,
    /// What devices are that a guard lets pass; never by address.
    guarded: BTreeMap<Guard, Claims>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    User(String),
    Group(String),
    Domain(String),
    Tag(Tag),
    Member,
    Tagged,
}

impl Compiled {
    /// What the policy makes of a node beside its reach. Costs what the node is, not the rules there are.
    pub fn badge(&self, s: &Subject) -> Badge {
        self.claims.badge(s)
    }
}

impl Claims {
    pub(crate) fn compile(content: &Content) -> Self {
        let logins = content.ssh.len();
        let bits = 2 * logins + content.attributes.len();
        let mut claims = Self { logins, bits, ..Self::default() };
        for (group, members) in &content.groups {
            for member in members {
                claims.memberships.entry(member.clone()).or_default().push(group.clone());
            }
        }
        for (number, rule) in content.ssh.iter().enumerate() {
            rule.sources.iter().for_each(|alias| claims.add(alias, number));
            rule.destinations.iter().for_each(|alias| claims.add(alias, logins + number));
        }
        for (number, attribute) in content.attributes.iter().enumerate() {
            attribute.targets.iter().for_each(|alias| claims.add(alias, 2 * logins + number));
        }
        claims
    }

    pub(crate) fn has_guards(&self) -> bool {
        !self.guarded.is_empty()
    }

    /// Whether something is about this person.
    pub(crate) fn names(&self, login: &str) -> bool {
        let person = Who::User(login.to_owned());
        self.by_who.contains_key(&person) || self.guarded.values().any(|claims| claims.names(login))
    }

    /// Networks whose devices get something for their addresses.
    pub(crate) fn networks(&self) -> Vec<IpNet> {
        let behind = self.guarded.values().flat_map(Claims::networks);
        self.by_address.networks().chain(self.in_sets.networks()).chain(behind).collect()
    }

    fn add(&mut self, alias: &Alias, bit: usize) {
        let who = match alias {
            Alias::Any | Alias::Anywhere => return self.everyone.insert(bit),
            Alias::With(alias, guard) => {
                return self.guarded.entry(guard.clone()).or_default().add(alias, bit);
            }
            Alias::Prefix(net) => return self.by_address.entry(*net).insert(bit),
            Alias::Set(nets) => return self.add_networks(nets, bit),
            Alias::Range(first, last) => return self.add_networks(&span::nets(&[(*first, *last)]), bit),
            Alias::User(login) => Who::User(login.clone()),
            Alias::Group(group) => Who::Group(group.clone()),
            Alias::Domain(domain) => Who::Domain(domain.clone()),
            Alias::Tag(tag) => Who::Tag(tag.clone()),
            Alias::Member => Who::Member,
            Alias::Tagged => Who::Tagged,
            // Whose device it is decides about `autogroup:self`; the others mean no node of this tailnet.
            Alias::Own | Alias::Internet | Alias::Service(_) | Alias::Role(_) | Alias::Shared => return,
        };
        self.by_who.entry(who).or_default().insert(bit);
    }

    fn add_networks(&mut self, nets: &[IpNet], bit: usize) {
        let number = self.sets.get(nets).copied().unwrap_or_else(|| {
            let number = self.of_set.len();
            self.sets.insert(nets.to_vec(), number);
            self.of_set.push(Sparse::default());
            nets.iter().for_each(|net| self.in_sets.entry(*net).push(number));
            number
        });
        self.of_set[number].insert(bit);
    }

    fn badge(&self, s: &Subject) -> Badge {
        let mut bits = vec![0; words(self.bits)];
        let who = identities(s, &self.memberships);
        let behind = self.guarded.iter().filter(|(guard, _)| guard.holds(s.traits)).map(|(_, claims)| claims);
        for claims in behind.chain([self]) {
            claims.everyone.add_to(&mut bits);
            who.iter().filter_map(|who| claims.by_who.get(who)).for_each(|claim| claim.add_to(&mut bits));
        }
        for address in s.addresses().map(IpNet::from) {
            self.by_address.covering(address).for_each(|claim| claim.add_to(&mut bits));
            for number in self.in_sets.covering(address).flatten() {
                self.of_set[*number].add_to(&mut bits);
            }
        }
        Badge { words: bits.into(), logins: self.logins }
    }
}

fn identities(s: &Subject, memberships: &BTreeMap<String, Vec<String>>) -> Vec<Who> {
    if !s.tags.is_empty() {
        let tags = s.tags.iter().cloned().map(Who::Tag);
        return tags.chain([Who::Tagged]).collect();
    }
    let Some(login) = s.owner() else { return Vec::new() };
    let mut all = vec![Who::Member];
    all.extend(memberships.get(&login).into_iter().flatten().cloned().map(Who::Group));
    all.extend(login.split_once('@').map(|(_, domain)| Who::Domain(domain.to_owned())));
    all.push(Who::User(login));
    all
}
