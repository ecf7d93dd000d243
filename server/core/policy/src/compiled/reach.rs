//! What a set of tags may reach and who may reach it, in the policy's own words.

use std::collections::BTreeSet;

use ident::Tag;

use crate::{Compiled, PortRange, Rule, compiled::mask::has, protocol};

/// The answer for people who create a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// What a device with the tags may reach, each once, in the order of the rules.
    pub reaches: Vec<ReachLine>,
    /// Who may reach a device with the tags or the networks it may route without approval.
    pub reached_by: Vec<ReachedLine>,
}

/// One thing that may be reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReachLine {
    /// The alias of the policy, such as `tag:server`; `*` is everything.
    pub to: String,
    /// Ports such as `22,80-443`; `*` is every port. Of a grant to applications, its capabilities.
    pub ports: String,
    /// Protocol; empty is TCP, UDP and ICMP, `app` is a grant to applications.
    pub proto: String,
    /// Line of the rule.
    pub line: u32,
}

/// One who may reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReachedLine {
    /// The alias of the policy, such as `group:admins`; `*` is every node.
    pub from: String,
    /// Ports such as `22,80-443`; `*` is every port. Of a grant to applications, its capabilities.
    pub ports: String,
    /// Protocol; empty is TCP, UDP and ICMP, `app` is a grant to applications.
    pub proto: String,
    /// Line of the rule.
    pub line: u32,
}

/// Aliases with ports and protocol that stand in the answer already.
type Seen = BTreeSet<(String, String, String)>;

impl Compiled {
    /// What a device with these tags may reach, and who may reach it.
    pub fn reach(&self, tags: &[Tag]) -> Reach {
        let access = self.opens(tags);
        let entries = self.prospect(tags).entries;
        let mut reach = Reach::default();
        let mut seen = Seen::new();
        for rule in access.as_source {
            self.add_reached(rule, &mut seen, &mut reach.reaches);
        }
        seen.clear();
        for rule in access.as_destination {
            let opened = self.entries(rule, |entry| has(&entries, entry));
            let ports = opened.flat_map(|entry| entry.ports.iter().copied()).collect();
            self.add_reaching(rule, ports, &mut seen, &mut reach.reached_by);
        }
        reach
    }

    fn add_reached(&self, rule: usize, seen: &mut Seen, out: &mut Vec<ReachLine>) {
        let Some(rule) = self.rules.get(rule) else { return };
        for (to, ports) in &rule.words.destinations {
            let (ports, proto) = rule.what(ports.clone());
            if seen.insert((to.clone(), ports.clone(), proto.clone())) {
                out.push(ReachLine { to: to.clone(), ports, proto, line: rule.line });
            }
        }
    }

    fn add_reaching(&self, rule: usize, ports: Vec<PortRange>, seen: &mut Seen, out: &mut Vec<ReachedLine>) {
        let Some(rule) = self.rules.get(rule) else { return };
        let (ports, proto) = rule.what(ports);
        for from in &rule.words.sources {
            if seen.insert((from.clone(), ports.clone(), proto.clone())) {
                let (ports, proto) = (ports.clone(), proto.clone());
                out.push(ReachedLine { from: from.clone(), ports, proto, line: rule.line });
            }
        }
    }
}

impl Rule {
    /// Ports and protocol; of a rule that grants capabilities, these and `app`.
    fn what(&self, ports: Vec<PortRange>) -> (String, String) {
        match &self.caps {
            None => (ports_text(ports), protocol::name(&self.protocols)),
            Some(caps) => (caps.keys().cloned().collect::<Vec<_>>().join(","), "app".to_owned()),
        }
    }
}

fn ports_text(mut ports: Vec<PortRange>) -> String {
    ports.sort();
    ports.dedup();
    if ports.contains(&PortRange::ALL) {
        return PortRange::ALL.to_string();
    }
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
