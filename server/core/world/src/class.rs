//! Viewer classes: nodes with equal signatures under the compiled policy see the same and are seen alike.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};
use policy::{Badge, Compiled, Signature, Subject};

use crate::Node;

/// A class within one epoch of [`Classes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u32);

/// The classes of a policy. A new policy is a new epoch: nodes that stay together keep the id of their class, under which
/// another signature may stand. Within an epoch no id is given to other nodes.
#[derive(Debug, Clone)]
pub struct Classes {
    epoch: u64,
    compiled: Arc<Compiled>,
    ids: OrdMap<Signature, ClassId>,
    signatures: Vector<Option<Signature>>,
    /// Ids of the epochs before that nobody has.
    vacant: OrdSet<ClassId>,
    source_revs: Vector<u64>,
}

impl Classes {
    pub(crate) fn new(epoch: u64, compiled: Arc<Compiled>) -> Self {
        let source_revs = std::iter::repeat_n(0, compiled.rules().len()).collect();
        let (ids, signatures, vacant) = (OrdMap::new(), Vector::new(), OrdSet::new());
        Self { epoch, compiled, ids, signatures, vacant, source_revs }
    }
    /// Those of the next policy, with room for the ids there are.
    pub(crate) fn next(&self, compiled: Arc<Compiled>) -> Self {
        let all = self.signatures.len();
        Self {
            signatures: std::iter::repeat_n(None, all).collect(),
            vacant: (0..all as u32).map(ClassId).collect(),
            ..Self::new(self.epoch + 1, compiled)
        }
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
        self.ids.len()
    }
    /// Whether no node was met yet.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
    /// What the nodes of a class have in common.
    pub fn signature(&self, class: ClassId) -> Option<&Signature> {
        self.signatures.get(class.0 as usize)?.as_ref()
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
    /// Whether nodes of this class are sources of the rule.
    pub fn is_source(&self, class: ClassId, rule: usize) -> bool {
        self.signature(class).is_some_and(|signature| self.compiled.is_source(signature, rule))
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
    /// Whether two nodes of these classes see each other if they are one person's; symmetric.
    pub fn sees_own(&self, a: ClassId, b: ClassId) -> bool {
        match (self.signature(a), self.signature(b)) {
            (Some(a), Some(b)) => self.compiled.sees_own(a, b),
            _ => false,
        }
    }
    /// Whether a node of this class may see other devices of its person, whatever their classes.
    pub fn has_own(&self, class: ClassId) -> bool {
        self.signature(class).is_some_and(|signature| self.compiled.has_own(signature))
    }
    /// Whether the rule lets nodes of this class reach the other devices of their person.
    pub fn is_own_source(&self, class: ClassId, rule: usize) -> bool {
        self.signature(class).is_some_and(|signature| self.compiled.is_own_source(signature, rule))
    }

    pub(crate) fn badge_of(&self, node: &Node, login: Option<&str>) -> Badge {
        let traits = self.compiled.asks_for_traits().then(|| node.traits());
        self.compiled.badge(&Subject { traits: traits.as_ref(), ..subject(node, login, &[]) })
    }

    pub(crate) fn signature_of(&self, node: &Node, login: Option<&str>) -> Signature {
        let routes = node.served_routes();
        let traits = self.compiled.asks_for_traits().then(|| node.traits());
        self.compiled.signature(&Subject { traits: traits.as_ref(), ..subject(node, login, &routes) })
    }

    /// The class of nodes with this signature.
    pub(crate) fn class_of(&mut self, signature: Signature) -> ClassId {
        if let Some(id) = self.ids.get(&signature) {
            return *id;
        }
        let id = match self.vacant.remove_min() {
            Some(id) => id,
            None => {
                self.signatures.push_back(None);
                ClassId(self.signatures.len() as u32 - 1)
            }
        };
        self.signatures.set(id.0 as usize, Some(signature.clone()));
        self.ids.insert(signature, id);
        id
    }

    /// Keeps the id for nodes with this signature, unless one of the two is taken.
    pub(crate) fn keep(&mut self, id: ClassId, signature: &Signature) {
        if !self.ids.contains_key(signature) && self.vacant.remove(&id).is_some() {
            self.signatures.set(id.0 as usize, Some(signature.clone()));
            self.ids.insert(signature.clone(), id);
        }
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
