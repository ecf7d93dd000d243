//! A policy that is ready to answer.

mod access;
mod attribute;
mod badge;
mod index;
mod login;
mod mask;
mod prefix;
mod reach;
mod signature;

use std::{ops::Range, sync::Arc};

use ident::Tag;
use ipnet::IpNet;

use crate::{
    Destination, Policy, PortRange, SourceSet, Subject, Target,
    alias::Alias,
    compiled::{
        badge::Claims,
        index::{Index, Marks},
        mask::{Sparse, has},
        signature::Draft,
    },
    policy::Content,
    subject::is_exit,
};

pub(crate) use attribute::FUNNEL_PORTS;

pub use access::Access;
pub use attribute::SUGGEST_EXIT_NODE;
pub use badge::Badge;
pub use login::{LOGIN_CHECK, Login};
pub use reach::{Reach, ReachLine, ReachedLine};
pub use signature::Signature;

/// A compiled policy: immutable, shared by pointer, free of anything about the nodes there are.
#[derive(Debug)]
pub struct Compiled {
    pub(crate) rules: Vec<Rule>,
    pub(crate) index: Index,
    pub(crate) claims: Claims,
    pub(crate) content: Arc<Content>,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// A name for it in `PacketFilters`: `r` and its number.
    pub key: String,
    /// IP protocol numbers; empty means those a client allows without being told (TCP, UDP, ICMP, ICMPv6).
    pub protocols: Vec<i32>,
    pub(crate) line: u32,
    pub(crate) literals: SourceSet,
    /// Numbers of its destinations, counted through all rules.
    pub(crate) entries: Range<usize>,
    pub(crate) has_source: bool,
    pub(crate) has_destination: bool,
}

impl Compiled {
    /// Compiles a policy; cannot fail, since a [`Policy`] is free of mistakes.
    pub fn compile(policy: &Policy) -> Self {
        let content = Arc::clone(policy.content());
        let (rules, index) = index::compile(&content);
        let claims = Claims::compile(&content);
        Self { rules, index, claims, content }
    }

    /// What the policy makes of a node. Costs the words of the masks that its attributes touch, not the rules.
    pub fn signature(&self, s: &Subject) -> Signature {
        let owner = s.owner();
        let mut who: Vec<&Marks> = Vec::new();
        if !s.tags.is_empty() {
            who.extend(self.index.of_tags(s.tags));
        } else if let Some(owner) = &owner {
            who.extend(self.index.of_person(owner));
        }
        let addresses = s.addresses().map(IpNet::from);
        self.draft(who, &addresses, s.routes.iter().copied()).finish()
    }

    /// Whether the two are in each other's view: one may reach the other or a network behind it.
    pub fn sees(&self, a: &Signature, b: &Signature) -> bool {
        a.connects(b)
    }

    /// The rules in the order of the policy.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether the rule's sources include the node by who it is, so that its own addresses belong to them. What a rule
    /// names by address, and all of `*`, stands in [`Self::sources_fixed`] instead.
    pub fn is_source(&self, sig: &Signature, rule: usize) -> bool {
        sig.is_named(rule)
    }

    /// Whether the rule opens something on the node or behind it, so that it belongs into the node's filter.
    pub fn is_destination(&self, sig: &Signature, rule: usize) -> bool {
        has(sig.destination(), rule)
    }

    /// The addresses that the rule names itself. Empty for a rule that does not exist.
    pub fn sources_fixed(&self, rule: usize) -> &SourceSet {
        const NONE: &SourceSet = &SourceSet { ranges: Vec::new(), approved_routes: false };
        self.rules.get(rule).map_or(NONE, |rule| &rule.literals)
    }

    /// What of this node the rule opens; empty when the node is no destination of it.
    pub fn destinations(&self, rule: usize, s: &Subject) -> Vec<Destination> {
        self.opened(rule, &self.signature(s))
    }

    /// What the rule opens on every node with this signature, each target once.
    pub fn opened(&self, rule: usize, sig: &Signature) -> Vec<Destination> {
        let mut out: Vec<Destination> = Vec::new();
        for (alias, ports) in self.entries(rule, |entry| sig.opens_entry(entry)) {
            let Some(what) = target(alias) else { continue };
            match out.iter_mut().find(|destination| destination.what == what) {
                Some(same) => same.ports.extend(ports),
                None => out.push(Destination { what, ports: ports.to_vec() }),
            }
        }
        for destination in &mut out {
            destination.ports.sort();
            destination.ports.dedup();
        }
        out.sort();
        out
    }

    /// Whether this viewer gets this route of that router in the router's `AllowedIPs`: it may reach something in the
    /// route, or the route's networks may reach something of the viewer. An exit route (0.0.0.0/0, ::/0) is for those
    /// who may use the exit node.
    pub fn route_visible(&self, viewer: &Signature, prefix: &IpNet, router: &Signature) -> bool {
        let reaches = |rules: &Sparse| rules.meets(viewer.source(), router.destination());
        let is_reached = |rules: &Sparse| rules.meets(viewer.destination(), router.source());
        let everyone = &self.index.everyone;
        if is_exit(prefix) {
            let literal = self.index.prefixes.covering(*prefix);
            return literal.chain([everyone, &self.index.internet]).any(|marks| reaches(&marks.destination));
        }
        let mut marks = self.index.prefixes.overlapping(*prefix).chain([everyone]);
        marks.any(|marks| reaches(&marks.destination) || is_reached(&marks.source))
    }

    /// Whether the node's advertised route needs nobody's approval: it lies within a prefix of `autoApprovers.routes`
    /// whose approvers include the node. Exit routes are approved by `autoApprovers.exitNode` alone.
    pub fn auto_approves(&self, s: &Subject, prefix: &IpNet) -> bool {
        let owner = s.owner();
        let includes = |aliases: &[Alias]| {
            aliases.iter().any(|alias| self.content.covers(alias, s.tags, owner.as_deref()))
        };
        if is_exit(prefix) {
            return includes(&self.content.exit_approvers);
        }
        let mut approvers = self.content.approvers.iter();
        approvers.any(|(net, aliases)| net.contains(prefix) && includes(aliases))
    }

    /// The line of the policy's text where the rule begins, from 1; 0 for a rule that does not exist.
    pub fn rule_source_line(&self, rule: usize) -> u32 {
        self.rules.get(rule).map_or(0, |rule| rule.line)
    }

    /// A signature from what a node is, its own networks and its approved routes.
    pub(crate) fn draft<'a>(
        &'a self,
        who: impl IntoIterator<Item = &'a Marks>,
        own: &[IpNet],
        routes: impl IntoIterator<Item = IpNet>,
    ) -> Draft {
        let mut draft = Draft::new(self.rules.len(), self.index.entry_count);
        for marks in who {
            marks.source.add_to(&mut draft.named);
            marks.source.add_to(&mut draft.source);
            marks.open(&mut draft);
        }
        let literals = own.iter().flat_map(|net| self.index.prefixes.covering(*net));
        for marks in literals.chain([&self.index.everyone]) {
            marks.source.add_to(&mut draft.source);
            marks.open(&mut draft);
        }
        for route in routes {
            self.add_route(route, &mut draft);
        }
        draft
    }

    fn add_route(&self, route: IpNet, draft: &mut Draft) {
        if is_exit(&route) {
            // A rule about some network does not concern exit nodes, though their route contains it.
            let all = self.index.prefixes.covering(route).chain([&self.index.internet]);
            return all.for_each(|marks| marks.open(draft));
        }
        for marks in self.index.prefixes.overlapping(route) {
            marks.source.add_to(&mut draft.source);
            marks.open(draft);
        }
    }

    /// The destinations of a rule that a test picks by their number.
    pub(crate) fn entries(
        &self,
        rule: usize,
        pick: impl Fn(usize) -> bool,
    ) -> impl Iterator<Item = (&Alias, &[PortRange])> {
        let numbers = self.rules.get(rule).map(|rule| rule.entries.clone()).unwrap_or_default();
        let acl = self.content.acls.get(rule);
        let destinations = acl.into_iter().flat_map(|acl| &acl.destinations);
        let picked = numbers.zip(destinations).filter(move |(number, _)| pick(*number));
        picked.map(|(_, (named, ports))| (&named.alias, ports.as_slice()))
    }

    /// Marks of a node that would have these tags.
    pub(crate) fn tag_marks<'a>(&'a self, tags: &'a [Tag]) -> impl Iterator<Item = &'a Marks> {
        self.index.of_tags(tags)
    }
}

impl Marks {
    fn open(&self, draft: &mut Draft) {
        self.destination.add_to(&mut draft.destination);
        self.entries.add_to(&mut draft.entries);
    }
}

fn target(alias: &Alias) -> Option<Target> {
    Some(match alias {
        Alias::Domain(_) | Alias::Range(..) | Alias::Set(_) | Alias::Service(_) => return None,
        Alias::Own | Alias::Anywhere | Alias::Role(_) | Alias::Shared => return None,
        Alias::Any => Target::Everything,
        Alias::Prefix(net) => Target::Prefix(*net),
        Alias::Internet => Target::Internet,
        Alias::User(_) | Alias::Group(_) | Alias::Tag(_) | Alias::Member | Alias::Tagged => {
            Target::SelfAddresses
        }
    })
}
