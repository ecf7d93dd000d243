//! `tests`: who reaches what.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use crate::{
    Device, PortRange,
    alias::Alias,
    answer::{Tailnet, members::everything, trial::Failures},
    policy::{Acl, Aim, Trial},
    posture::{Guard, Supposed},
    protocol,
    source::span::{self, Span},
};

/// Protocols that a test without one may use: TCP, UDP, ICMP, ICMPv6.
const USUAL: [i32; 4] = [6, 17, 1, 58];

/// The reference tests one connection at a time.
const ONE_PORT: &str = "a test's destination is one port";

type Spans = Arc<[Span]>;

/// What tests look at again and again, looked up once.
struct Ground<'a> {
    tailnet: &'a Tailnet<'a>,
    by_text: BTreeMap<&'a str, Spans>,
    /// The same for what stands behind a posture, whoever has it.
    whoever: BTreeMap<&'a str, Spans>,
    rules: Vec<Rule<'a>>,
    owners: BTreeMap<IpAddr, usize>,
}

struct Rule<'a> {
    protocols: &'a [i32],
    from: Spans,
    /// What stands behind a posture, whoever has it: for a test that says what its source is like.
    behind: Vec<(&'a Guard, Spans)>,
    /// The other sources.
    free: Spans,
    to: Vec<(Goal, &'a [PortRange])>,
}

/// Where something leads; to one's own devices depends on who goes there.
#[derive(Clone)]
enum Goal {
    Spans(Spans),
    Own,
}

impl Tailnet<'_> {
    pub(super) fn try_networks(&self, failures: &mut Failures) {
        if self.policy.trials.is_empty() {
            return;
        }
        let ground = Ground::of(self);
        for trial in &self.policy.trials {
            ground.run(trial, failures);
        }
    }
}

impl<'a> Ground<'a> {
    fn of(tailnet: &'a Tailnet<'a>) -> Self {
        let mut owners = BTreeMap::new();
        for device in &tailnet.roster.devices {
            let person = device.person();
            owners.extend(person.into_iter().flat_map(|at| device.addresses().map(|address| (address, at))));
        }
        let mut ground =
            Self { tailnet, by_text: BTreeMap::new(), whoever: BTreeMap::new(), rules: Vec::new(), owners };
        for acl in &tailnet.policy.acls {
            let rule = ground.rule(acl);
            ground.rules.push(rule);
        }
        ground
    }

    fn rule(&mut self, acl: &'a Acl) -> Rule<'a> {
        let sources = acl.sources.iter().map(|named| self.spans(&named.text, &named.alias));
        let from = merged(sources.collect::<Vec<_>>().iter().flat_map(|spans| spans.iter().copied()));
        let behind: Vec<_> = acl
            .sources
            .iter()
            .filter_map(|named| match &named.alias {
                Alias::With(alias, guard) => Some((guard, self.whoever(&named.text, alias))),
                _ => None,
            })
            .collect();
        let free = match behind.is_empty() {
            true => from.clone(),
            false => {
                let free = acl.sources.iter().filter(|named| !matches!(named.alias, Alias::With(..)));
                let free: Vec<_> = free.map(|named| self.spans(&named.text, &named.alias)).collect();
                merged(free.iter().flat_map(|spans| spans.iter().copied()))
            }
        };
        let goals = acl.destinations.iter().map(|(named, ports)| {
            let goal = match &named.alias {
                Alias::Own => Goal::Own,
                Alias::Any => Goal::Spans(everything().into()),
                alias => Goal::Spans(self.spans(&named.text, alias)),
            };
            (goal, ports.as_slice())
        });
        let to = goals.collect();
        Rule { protocols: &acl.protocols, from, behind, free, to }
    }

    fn spans(&mut self, text: &'a str, alias: &Alias) -> Spans {
        let tailnet = self.tailnet;
        self.by_text.entry(text).or_insert_with(|| merged(tailnet.spans(alias).into_iter())).clone()
    }

    fn whoever(&mut self, text: &'a str, alias: &Alias) -> Spans {
        let tailnet = self.tailnet;
        self.whoever.entry(text).or_insert_with(|| tailnet.whoever(alias)).clone()
    }

    fn run(&self, trial: &Trial, failures: &mut Failures) {
        let (name, place) = (&trial.source.0, trial.place);
        if trial.accept.is_empty() && trial.deny.is_empty() {
            failures.add(place, format!("{name}: a test needs accept or deny"));
        }
        if let Ok(Some(number)) = trial.protocol
            && !protocol::has_ports(number)
        {
            return failures.add(place, format!("{name}: a test's proto is tcp, udp or sctp"));
        }
        let (source, protocol) = match (&trial.source.1, &trial.protocol) {
            (Ok(source), Ok(protocol)) => (source, *protocol),
            (Err(what), _) | (_, Err(what)) => return failures.add(place, format!("{name}: {what}")),
        };
        let from = self.tailnet.spans(source);
        if from.is_empty() {
            return failures.add(place, format!("{name}: names no address"));
        }
        let wanted = trial.accept.iter().map(|aim| (aim, true));
        for (aim, allowed) in wanted.chain(trial.deny.iter().map(|aim| (aim, false))) {
            let what = format!("{name} -> {}", aim.text);
            match self.all_reach(&from, aim, protocol, trial.supposed.as_ref()) {
                Ok(found) if found == allowed => {}
                Ok(true) => failures.unlike(place, &what, "denied", "allowed"),
                Ok(false) => failures.unlike(place, &what, "allowed", "denied"),
                Err(why) => failures.add(place, format!("{what}: {why}")),
            }
        }
    }

    /// Whether every source reaches the destination at all its ports.
    fn all_reach(
        &self,
        from: &[Span],
        aim: &Aim,
        protocol: Option<i32>,
        supposed: Option<&Supposed>,
    ) -> Result<bool, String> {
        let (alias, ports) = aim.what.as_ref().map_err(String::clone)?;
        // The reference tests single destinations, not networks.
        let is_network = match alias {
            Alias::Prefix(net) => net.prefix_len() < net.max_prefix_len() || aim.text.contains('/'),
            Alias::Range(..) | Alias::Set(_) | Alias::Internet => true,
            _ => false,
        };
        if is_network {
            return Err("a test's destination is one host".to_owned());
        }
        let [ports] = ports.as_slice() else { return Err(ONE_PORT.to_owned()) };
        if ports.first != ports.last {
            return Err(ONE_PORT.to_owned());
        }
        let goal = match alias {
            Alias::Any => Goal::Spans(everything().into()),
            Alias::Own => Goal::Own,
            alias => Goal::Spans(merged(self.tailnet.spans(alias).into_iter())),
        };
        if matches!(&goal, Goal::Spans(spans) if spans.is_empty()) {
            return Err("names no address".to_owned());
        }
        let usual = |known: &i32| protocol.map_or(USUAL.contains(known), |one| one == *known);
        let speaks = |rule: &&Rule| rule.protocols.is_empty() || rule.protocols.iter().any(usual);
        let rules: Vec<_> = self.rules.iter().filter(speaks).collect();
        Ok(self.all_reach_at(from, &goal, ports, &rules, supposed))
    }

    fn all_reach_at(
        &self,
        from: &[Span],
        goal: &Goal,
        ports: &PortRange,
        rules: &[&Rule],
        supposed: Option<&Supposed>,
    ) -> bool {
        let within = |open: &PortRange| open.first <= ports.first && ports.last <= open.last;
        let fits = |there: &Goal| match (there, goal) {
            (Goal::Spans(there), Goal::Spans(goal)) => goal.iter().any(|span| meets(there, span)),
            (Goal::Own, _) | (_, Goal::Own) => true,
        };
        let open = |rule: &Rule| {
            let goals = rule.to.iter().filter(|(_, open)| open.iter().any(within));
            goals.map(|(there, _)| there.clone()).filter(fits).collect::<Vec<_>>()
        };
        let candidates: Vec<_> =
            rules.iter().map(|rule| (rule, open(rule))).filter(|(_, to)| !to.is_empty()).collect();
        let reaches = |source: &Span| {
            let mut own = None;
            let mut own = || own.get_or_insert_with(|| self.devices_of_same(source)).clone();
            candidates.iter().any(|(rule, goals)| {
                rule.is_for(source, supposed)
                    && goals.iter().any(|there| match (there, goal) {
                        (Goal::Spans(_), Goal::Spans(_)) => true,
                        (Goal::Own, Goal::Spans(spans)) | (Goal::Spans(spans), Goal::Own) => {
                            own().iter().any(|span| meets(spans, span))
                        }
                        (Goal::Own, Goal::Own) => !own().is_empty(),
                    })
            })
        };
        self.tailnet.is_open || from.iter().all(reaches)
    }

    /// Addresses of the devices whose owner has a device there.
    fn devices_of_same(&self, source: &Span) -> Vec<Span> {
        let devices = || self.tailnet.roster.devices.iter();
        let owner = if source.0 == source.1 {
            self.owners.get(&source.0).copied()
        } else {
            let is_there =
                |device: &&Device| device.addresses().iter().any(|a| span::meet(&span::one(*a), source));
            devices().find(is_there).and_then(Device::person)
        };
        let same = devices().filter(|device| owner.is_some() && device.person() == owner);
        same.flat_map(Device::addresses).map(span::one).collect()
    }
}

impl Rule<'_> {
    fn is_for(&self, source: &Span, supposed: Option<&Supposed>) -> bool {
        let Some(supposed) = supposed else { return meets(&self.from, source) };
        let has_posture =
            |(guard, spans): &(&Guard, Spans)| meets(spans, source) && guard.holds_for(supposed);
        meets(&self.free, source) || self.behind.iter().any(has_posture)
    }
}

impl Tailnet<'_> {
    /// Addresses of the devices that an alias behind a posture means, whether they have it or not.
    fn whoever(&self, alias: &Alias) -> Spans {
        let devices = self.roster.devices.iter().filter(|device| self.means(alias, device));
        merged(devices.flat_map(Device::addresses).map(span::one))
    }
}

/// In order, without overlaps.
fn merged(spans: impl Iterator<Item = Span>) -> Spans {
    let mut spans: Vec<Span> = spans.collect();
    spans.sort();
    let mut out: Vec<Span> = Vec::new();
    for (first, last) in spans {
        match out.last_mut() {
            Some(before) if span::meet(before, &(first, last)) => before.1 = before.1.max(last),
            _ => out.push((first, last)),
        }
    }
    out.into()
}

/// Whether one of them, which are in order and do not overlap, shares an address with the span.
fn meets(spans: &[Span], span: &Span) -> bool {
    let behind = spans.partition_point(|(first, _)| *first <= span.1);
    behind.checked_sub(1).and_then(|at| spans.get(at)).is_some_and(|last| span::meet(last, span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        let one = (any::<bool>(), 0..40u8, 0..6u8).prop_map(|(v6, first, more)| {
            let address = |n: u8| match v6 {
                true => IpAddr::from([0, 0, 0, 0, 0, 0, 0, u16::from(n)]),
                false => IpAddr::from([0, 0, 0, n]),
            };
            (address(first), address(first + more))
        });
        proptest::collection::vec(one, 0..8)
    }

    proptest! {
        #[test]
        fn a_search_finds_what_a_look_at_all_finds(many in spans(), asked in spans()) {
            let ordered = merged(many.iter().copied());
            for span in &asked {
                prop_assert_eq!(meets(&ordered, span), many.iter().any(|one| span::meet(one, span)));
            }
        }
    }
}
