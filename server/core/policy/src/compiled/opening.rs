//! What a rule opens on the nodes of a class.

use crate::{
    Compiled, Destination, PortRange, Signature, Subject,
    compiled::{mask::has, rule::Entry},
};

impl Compiled {
    /// What of this node the rule opens; empty when the node is no destination of it.
    pub fn destinations(&self, rule: usize, s: &Subject) -> Vec<Destination> {
        self.opened(rule, &self.signature(s))
    }

    /// What the rule opens on every node with this signature, each target once. Of a rule that grants something to
    /// applications, the ports are none.
    pub fn opened(&self, rule: usize, sig: &Signature) -> Vec<Destination> {
        let mut out: Vec<Destination> = Vec::new();
        for entry in self.entries(rule, |entry| sig.opens_entry(entry)) {
            let Some(what) = entry.what else { continue };
            match out.iter_mut().find(|destination| destination.what == what) {
                Some(same) => same.ports.extend(&entry.ports),
                None => out.push(Destination { what, ports: entry.ports.clone() }),
            }
        }
        for destination in &mut out {
            destination.ports.sort();
            destination.ports.dedup();
        }
        out.sort();
        out
    }

    /// The ports that the rule opens among the devices of one person, on each of them; empty when the rule does not
    /// speak of this person, and for one that grants something to applications.
    pub fn opened_to_own(&self, rule: usize, sig: &Signature) -> Vec<PortRange> {
        let by_router = self.rules.get(rule).is_some_and(|rule| !rule.via.is_empty());
        if by_router || !has(sig.own(), rule) {
            return Vec::new();
        }
        let own = self.entries(rule, |_| true).filter(|entry| entry.what.is_none());
        let mut ports: Vec<PortRange> = own.flat_map(|entry| entry.ports.iter().copied()).collect();
        ports.sort();
        ports.dedup();
        ports
    }

    /// The destinations of a rule that a test picks by their number.
    pub(crate) fn entries(&self, rule: usize, pick: impl Fn(usize) -> bool) -> impl Iterator<Item = &Entry> {
        let numbers = self.rules.get(rule).map(|rule| rule.entries.clone()).unwrap_or_default();
        numbers.filter(move |number| pick(*number)).filter_map(|number| self.entries.get(number))
    }
}
