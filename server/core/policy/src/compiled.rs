//! A policy that is ready to answer.

mod access;
mod attribute;
mod badge;
mod index;
mod login;
mod mask;
mod opening;
mod prefix;
mod reach;
mod route;
mod rule;
mod signature;

use std::sync::Arc;

use ident::Tag;
use ipnet::IpNet;

use crate::{
    Policy, SourceSet, Subject,
    compiled::{
        badge::Claims,
        index::{Index, Marks},
        mask::{and, has, words},
        rule::Entry,
        signature::Draft,
    },
    policy::Content,
    subject::is_exit,
};

pub(crate) use attribute::{FUNNEL_PORTS, NEXTDNS, says_something_to_nextdns};

pub use access::Access;
pub(crate) use access::mesh;
pub use attribute::{NextDns, SUGGEST_EXIT_NODE};
pub use badge::Badge;
pub use login::{LOGIN_CHECK, Login, NOT_RECORDED, RECORDER_PORT, RECORDING_STOPPED};
pub use reach::{Reach, ReachLine, ReachedLine};
pub(crate) use rule::IN_TURN;
pub use rule::Rule;
pub use signature::Signature;

/// A compiled policy: immutable, shared by pointer, free of anything about the nodes there are.
#[derive(Debug)]
pub struct Compiled {
    pub(crate) rules: Vec<Rule>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) index: Index,
    pub(crate) claims: Claims,
    pub(crate) content: Arc<Content>,
}

impl Compiled {
    /// Compiles a policy; cannot fail, since a [`Policy`] is free of mistakes.
    pub fn compile(policy: &Policy) -> Self {
        let content = Arc::clone(policy.content());
        let (rules, entries, index) = rule::compile(&content);
        let claims = Claims::compile(&content);
        Self { rules, entries, index, claims, content }
    }

    /// What the policy makes of a node. Costs the words of the masks that its attributes touch, not the rules.
    pub fn signature(&self, s: &Subject) -> Signature {
        let owner = s.owner();
        let mut who: Vec<&Marks> = self.index.of(s.tags, owner.as_deref()).collect();
        for index in self.index.behind(Some(s.traits)) {
            who.extend(index.of(s.tags, owner.as_deref()).chain([&index.everyone]));
        }
        let addresses = s.addresses().map(IpNet::from);
        let mut draft = self.draft(who, s.tags, &addresses, s.routes.iter().copied());
        if let Some(owner) = owner.as_deref().filter(|_| s.tags.is_empty() && !self.index.own.is_empty()) {
            self.add_own(owner, &mut draft);
        }
        draft.finish()
    }

    /// Whether it matters what [`crate::Traits`] a node has.
    pub fn asks_for_traits(&self) -> bool {
        self.index.has_guards() || self.claims.has_guards()
    }

    /// Whether the two are in each other's view: one may reach the other or a network behind it. Two devices of one
    /// person may see each other beside that: see [`Self::sees_own`].
    pub fn sees(&self, a: &Signature, b: &Signature) -> bool {
        a.connects(b)
    }

    /// Whether two devices of one person see each other by `autogroup:self`.
    pub fn sees_own(&self, a: &Signature, b: &Signature) -> bool {
        a.own_sources().zip(b.own()).any(|(from, to)| from & to != 0)
            || b.own_sources().zip(a.own()).any(|(from, to)| from & to != 0)
    }

    /// Whether some rule speaks of the person's own devices, whatever they are like.
    pub fn has_own(&self, sig: &Signature) -> bool {
        sig.own().iter().any(|word| *word != 0)
    }

    /// Whether by the same rules, counted by their numbers, both reach devices of their person. One of the two may be of
    /// another policy.
    pub fn reaches_own_alike(&self, a: &Signature, b: &Signature) -> bool {
        a.own_sources().eq(b.own_sources())
    }

    /// The rules: `acls`, `grants` of ports, `grants` to applications; each in the order of the policy.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether the rule's sources include the node by who it is, so that its own addresses belong to them. What a rule
    /// names by address, and all of `*`, stands in [`Self::sources_fixed`] instead. A rule that opens nothing but a
    /// person's own devices to each other has no sources in this sense.
    pub fn is_source(&self, sig: &Signature, rule: usize) -> bool {
        sig.is_named(rule) && self.rules.get(rule).is_some_and(|rule| rule.opens_to_others)
    }

    /// Whether the rule opens something on the node or behind it, so that it belongs into the node's filter.
    pub fn is_destination(&self, sig: &Signature, rule: usize) -> bool {
        has(sig.destination(), rule)
    }

    /// Whether the rule lets the node reach the devices of its own person.
    pub fn is_own_source(&self, sig: &Signature, rule: usize) -> bool {
        has(sig.own(), rule) && has(sig.source(), rule)
    }

    /// Whether the rule opens the node to devices of its own person, if there are any like those it asks for.
    pub fn is_own_destination(&self, sig: &Signature, rule: usize) -> bool {
        has(sig.own(), rule)
    }

    /// The addresses that the rule names itself. Empty for a rule that does not exist.
    pub fn sources_fixed(&self, rule: usize) -> &SourceSet {
        const NONE: &SourceSet = &SourceSet { ranges: Vec::new(), approved_routes: false };
        self.rules.get(rule).map_or(NONE, |rule| &rule.literals)
    }

    /// The line of the policy's text where the rule begins, from 1; 0 for a rule that does not exist.
    pub fn rule_source_line(&self, rule: usize) -> u32 {
        self.rules.get(rule).map_or(0, |rule| rule.line)
    }

    /// A signature from what a node is, its tags, its own networks and its approved routes.
    pub(crate) fn draft<'a>(
        &'a self,
        who: impl IntoIterator<Item = &'a Marks>,
        tags: &[Tag],
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
        self.add_routes(tags, routes, &mut draft);
        draft
    }

    /// Rules that open a person's devices to those of them that the rule asks for. Which these are does not matter here:
    /// a device needs no posture to be reached.
    fn add_own(&self, owner: &str, draft: &mut Draft) {
        let mut named = draft.source.clone();
        for index in self.index.behind(None) {
            let marks = index.of_person(owner).chain([&index.everyone]);
            marks.for_each(|marks| marks.source.add_to(&mut named));
        }
        self.index.own.add_to(&mut draft.own);
        and(&mut draft.own, &named);
    }

    fn add_routes(&self, tags: &[Tag], routes: impl IntoIterator<Item = IpNet>, draft: &mut Draft) {
        for carried in self.index.carried_by(tags) {
            carried.rules.add_to(&mut draft.carried);
        }
        let mut routes = routes.into_iter().peekable();
        if routes.peek().is_none() {
            return;
        }
        let mut carried_entries = vec![0; draft.entries.len()];
        for carried in self.index.carried_by(tags) {
            carried.entries.add_to(&mut carried_entries);
        }
        let (mut rules, mut entries) = (vec![0; words(self.rules.len())], vec![0; draft.entries.len()]);
        for route in routes {
            // A rule about some network does not concern exit nodes, though their route contains it.
            let behind: Vec<&Marks> = match is_exit(&route) {
                true => vec![&self.index.internet],
                false => self.index.prefixes.overlapping(route).collect(),
            };
            for marks in behind {
                marks.source.add_to(&mut draft.source);
                marks.open(draft);
                marks.routed.add_to(&mut rules);
                marks.routed_entries.add_to(&mut entries);
            }
            draft.subnets.extend(Some(route).filter(|route| !is_exit(route)));
        }
        and(&mut rules, &draft.carried);
        and(&mut entries, &carried_entries);
        mask::or(&mut draft.destination, &rules);
        mask::or(&mut draft.entries, &entries);
    }

    /// Marks of a node that would have these tags.
    pub(crate) fn tag_marks<'a>(&'a self, tags: &'a [Tag]) -> impl Iterator<Item = &'a Marks> {
        let behind = self.index.behind(None);
        self.index.of_tags(tags).chain(behind.flat_map(|index| index.of_tags(tags).chain([&index.everyone])))
    }
}

impl Marks {
    fn open(&self, draft: &mut Draft) {
        self.destination.add_to(&mut draft.destination);
        self.entries.add_to(&mut draft.entries);
    }
}
