//! What makes two nodes equal before the policy.

use std::sync::Arc;

use crate::compiled::mask::{has, meet, words};

/// The rules that a node is a source of and those that it is a destination of, and which of their parts.
/// Nodes with equal signatures (of the same [`crate::Compiled`]) form one viewer class: they see the same nodes and
/// get the same filter, up to their own addresses. Cheap to clone and to compare.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    /// Four sets one after the other: source, named, destination (a bit per rule), entries (a bit per destination).
    words: Arc<[u64]>,
    /// Words of each of the first three sets.
    rule_words: usize,
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
    /// The destinations within the rules that do.
    pub(crate) entries: Vec<u64>,
}

impl Draft {
    pub(crate) fn new(rules: usize, entries: usize) -> Self {
        let (per_rule, per_entry) = (vec![0; words(rules)], vec![0; words(entries)]);
        Self { source: per_rule.clone(), named: per_rule.clone(), destination: per_rule, entries: per_entry }
    }

    pub(crate) fn finish(self) -> Signature {
        let rule_words = self.source.len();
        let all = [self.source, self.named, self.destination, self.entries];
        Signature { words: all.into_iter().flatten().collect(), rule_words }
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

    pub(crate) fn opens_entry(&self, entry: usize) -> bool {
        has(self.words.get(3 * self.rule_words..).unwrap_or_default(), entry)
    }

    fn part(&self, index: usize) -> &[u64] {
        self.words.get(index * self.rule_words..(index + 1) * self.rule_words).unwrap_or_default()
    }
}
