//! Viewer classes: nodes with equal signatures under the compiled policy see the same and are seen alike.

use std::sync::Arc;

use imbl::{OrdMap, Vector};
use policy::{Badge, Compiled, Signature, Subject};

use crate::Node;

/// A class within one epoch of [`Classes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u32);

/// The classes of a policy. Ids are never used again within an epoch; a new policy is a new epoch.
#[derive(Debug, Clone)]
pub struct Classes {
    epoch: u64,
    compiled: Arc<Compiled>,
    ids: OrdMap<Signature, ClassId>,
    signatures: Vector<Signature>,
    source_revs: Vector<u64>,
}

impl Classes {
    pub(crate) fn new(epoch: u64, compiled: Arc<Compiled>) -> Self {
        let source_revs = std::iter::repeat_n(0, compiled.rules().len()).collect();
        Self { epoch, compiled, ids: OrdMap::new(), signatures: Vector::new(), source_revs }
    }
    /// Which policy these classes belong to; local to one process.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
    /// The rules.
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }
    /// How many classes were ever met in this epoch.
    pub fn len(&self) -> usize {
        self.signatures.len()
    }
    /// Whether no node was met yet.
    pub fn is_empty(&self) -> bool {
        self.signatures.is_empty()
    }
    /// What the nodes of a class have in common.
    pub fn signature(&self, class: ClassId) -> Option<&Signature> {
        self.signatures.get(class.0 as usize)
    }
    /// Whether nodes of the two classes see each other; symmetric.
    pub fn sees(&self, a: ClassId, b: ClassId) -> bool {
        match (self.signature(a), self.signature(b)) {
            (Some(a), Some(b)) => self.compiled.sees(a, b),
            _ => false,
        }
    }
    /// The version of the World that last changed who is a source of this rule.
    pub fn source_rev(&self, rule: usize) -> u64 {
        self.source_revs.get(rule).copied().unwrap_or(0)
    }
    /// Rules that have nodes of this class as sources.
    pub fn rules_from(&self, class: ClassId) -> Vec<usize> {
        let Some(signature) = self.signature(class) else { return Vec::new() };
        (0..self.source_revs.len()).filter(|r| self.compiled.is_source(signature, *r)).collect()
    }
    /// Rules that open something on nodes of this class, to others or to devices of the same person.
    pub fn rules_to(&self, class: ClassId) -> Vec<usize> {
        let Some(signature) = self.signature(class) else { return Vec::new() };
        let opens = |rule: &usize| {
            self.compiled.is_destination(signature, *rule)
                || self.compiled.is_own_destination(signature, *rule)
        };
        (0..self.source_revs.len()).filter(opens).collect()
    }
    /// Whether a node of this class sees the other devices of its person, whatever their classes.
    pub fn sees_own(&self, class: ClassId) -> bool {
        self.signature(class).is_some_and(|signature| self.compiled.sees_own(signature))
    }

    pub(crate) fn badge_of(&self, node: &Node, login: Option<&str>) -> Badge {
        let traits = self.compiled.asks_for_traits().then(|| node.traits());
        self.compiled.badge(&Subject { traits: traits.as_ref(), ..subject(node, login, &[]) })
    }

    pub(crate) fn class_of(&mut self, node: &Node, login: Option<&str>) -> ClassId {
        let routes = node.served_routes();
        let traits = self.compiled.asks_for_traits().then(|| node.traits());
        let subject = Subject { traits: traits.as_ref(), ..subject(node, login, &routes) };
        let signature = self.compiled.signature(&subject);
        if let Some(id) = self.ids.get(&signature) {
            return *id;
        }
        let id = ClassId(self.signatures.len() as u32);
        self.signatures.push_back(signature.clone());
        self.ids.insert(signature, id);
        id
    }

    pub(crate) fn sources_changed(&mut self, rule: usize, version: u64) {
        if let Some(rev) = self.source_revs.get_mut(rule) {
            *rev = version;
        }
    }
}

/// What the policy is told of a node, but for what its client tells.
pub(crate) fn subject<'a>(node: &'a Node, login: Option<&'a str>, routes: &'a [ipnet::IpNet]) -> Subject<'a> {
    Subject { tags: node.owner.tags(), login, v4: node.v4, v6: node.v6, routes, traits: None }
}
