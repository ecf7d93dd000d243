//! What makes two nodes equal before the policy.

use std::sync::Arc;

use ipnet::IpNet;

use crate::compiled::mask::{has, meet, words};

/// The rules that a node is a source of and those that it is a destination of, which of their parts, and the subnets that
/// it serves. Nodes with equal signatures (of the same [`crate::Compiled`]) form one viewer class: they see the same
/// nodes and get the same filter, up to their own addresses and the devices of their own person. Cheap to clone and to
/// compare.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    /// Sets one after the other: source, named, destination, own, carried (a bit per rule), entries (a bit per destination).
    words: Arc<[u64]>,
    /// Words of each of the sets with a bit per rule.
    rule_words: usize,
    /// Ascending.
    subnets: Arc<[IpNet]>,
}

/// A signature in the making.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Rules whose sources include the node or a network behind it.
    pub(crate) source: Vec<u64>,
    /// Rules whose sources include the node by who it is, so that its own addresses belong into `SrcIPs`.
    pub(crate) named: Vec<u64>,
    /// Rules that open something on the node or behind it.
    pub(crate) destination: Vec<u64>,
    /// Rules that open something among the devices of the node's person.
    pub(crate) own: Vec<u64>,
    /// Rules with `via` that the node may carry by its tags.
    pub(crate) carried: Vec<u64>,
    /// The destinations within the rules that open something on the node or behind it.
    pub(crate) entries: Vec<u64>,
    /// Subnets that it serves.
    pub(crate) subnets: Vec<IpNet>,
}

impl Draft {
    pub(crate) fn new(rules: usize, entries: usize) -> Self {
        let (per_rule, per_entry) = (|| vec![0; words(rules)], vec![0; words(entries)]);
        let (source, named, destination) = (per_rule(), per_rule(), per_rule());
        let (own, carried) = (per_rule(), per_rule());
        Self { source, named, destination, own, carried, entries: per_entry, subnets: Vec::new() }
    }

    pub(crate) fn finish(mut self) -> Signature {
        self.subnets.sort();
        self.subnets.dedup();
        let rule_words = self.source.len();
        let all = [self.source, self.named, self.destination, self.own, self.carried, self.entries];
        Signature { words: all.concat().into(), rule_words, subnets: self.subnets.into() }
    }
}

impl Signature {
    /// Whether the node may reach something of the other, or the other something of the node.
    pub(crate) fn connects(&self, other: &Self) -> bool {
        meet(self.source(), other.destination()) || meet(self.destination(), other.source())
    }

    pub(crate) fn source(&self) -> &[u64] {
        self.part(0)
    }

    pub(crate) fn is_named(&self, rule: usize) -> bool {
        has(self.part(1), rule)
    }

    pub(crate) fn destination(&self) -> &[u64] {
        self.part(2)
    }

    pub(crate) fn own(&self) -> &[u64] {
        self.part(3)
    }

    /// Rules that let the node reach the other devices of its person.
    pub(crate) fn own_sources(&self) -> impl Iterator<Item = u64> {
        self.own().iter().zip(self.source()).map(|(own, source)| own & source)
    }

    pub(crate) fn carried(&self) -> &[u64] {
        self.part(4)
    }

    pub(crate) fn opens_entry(&self, entry: usize) -> bool {
        has(self.words.get(5 * self.rule_words..).unwrap_or_default(), entry)
    }

    /// Whether the node is a router of this subnet.
    pub(crate) fn serves(&self, subnet: &IpNet) -> bool {
        self.subnets.binary_search(subnet).is_ok()
    }

    fn part(&self, index: usize) -> &[u64] {
        self.words.get(index * self.rule_words..(index + 1) * self.rule_words).unwrap_or_default()
    }
}
