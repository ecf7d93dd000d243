//! The policy's own tests.

use crate::{
    Device, PortRange,
    alias::Alias,
    answer::{
        Tailnet,
        login::{SshAction, SshRule},
        members::everything,
    },
    policy::{Aim, LoginTrial, Trial},
    source::span::{self, Span},
};

/// Protocols that a test without one may use: TCP, UDP, ICMP, ICMPv6.
const USUAL: [i32; 4] = [6, 17, 1, 58];

impl Tailnet<'_> {
    /// The failures of `tests` and `sshTests`, behind the words of the reference.
    pub(crate) fn passes(&self) -> Result<(), String> {
        let mut failures = Vec::new();
        for trial in &self.policy.trials {
            self.try_network(trial, &mut failures);
        }
        for trial in &self.policy.logins {
            self.try_login(trial, &mut failures);
        }
        if failures.is_empty() { Ok(()) } else { Err(format!("test(s) failed\n{}", failures.join("\n"))) }
    }

    fn try_network(&self, trial: &Trial, failures: &mut Vec<String>) {
        let name = &trial.source.0;
        if trial.accept.is_empty() && trial.deny.is_empty() {
            failures.push(format!("{name}: a test needs accept or deny"));
        }
        let (source, protocol) = match (&trial.source.1, &trial.protocol) {
            (Ok(source), Ok(protocol)) => (source, *protocol),
            (Err(what), _) | (_, Err(what)) => return failures.push(format!("{name}: {what}")),
        };
        let from = self.spans(source);
        if from.is_empty() {
            failures.push(format!("{name}: names no address"));
            return;
        }
        let wanted = trial.accept.iter().map(|aim| (aim, true));
        for (aim, allowed) in wanted.chain(trial.deny.iter().map(|aim| (aim, false))) {
            match self.all_reach(&from, aim, protocol) {
                Ok(found) if found == allowed => {}
                Ok(true) => failures.push(format!("{name} -> {}: expected denied, is allowed", aim.text)),
                Ok(false) => failures.push(format!("{name} -> {}: expected allowed, is denied", aim.text)),
                Err(what) => failures.push(format!("{name} -> {}: {what}", aim.text)),
            }
        }
    }

    /// Whether every source reaches the destination at all its ports.
    fn all_reach(&self, from: &[Span], aim: &Aim, protocol: Option<i32>) -> Result<bool, String> {
        let (alias, ports) = aim.what.as_ref().map_err(String::clone)?;
        // The reference tests single destinations, not networks.
        let is_network = match alias {
            Alias::Prefix(net) => net.prefix_len() < net.max_prefix_len(),
            Alias::Range(..) | Alias::Set(_) | Alias::Internet => true,
            _ => false,
        };
        if is_network {
            return Err("a test's destination is one host".to_owned());
        }
        let reach = |source: &Span| {
            let to = match alias {
                Alias::Any => everything().to_vec(),
                Alias::Own => self.devices_of_same(source),
                alias => self.spans(alias),
            };
            ports.iter().all(|range| self.reach(source, &to, range, protocol))
        };
        Ok(from.iter().all(reach))
    }

    fn reach(&self, source: &Span, to: &[Span], ports: &PortRange, protocol: Option<i32>) -> bool {
        let usual = |known: &i32| protocol.map_or(USUAL.contains(known), |one| one == *known);
        let covers = |opened: &[Span]| opened.iter().any(|a| to.iter().any(|b| span::meet(a, b)));
        let within = |open: &PortRange| open.first <= ports.first && ports.last <= open.last;
        self.policy.opens_all
            || self.policy.acls.iter().any(|acl| {
                let from = acl
                    .sources
                    .iter()
                    .any(|named| self.spans(&named.alias).iter().any(|span| span::meet(span, source)));
                let speaks = acl.protocols.is_empty() || acl.protocols.iter().any(usual);
                from && speaks
                    && acl.destinations.iter().any(|(named, open)| {
                        let spans = match &named.alias {
                            Alias::Any => everything().to_vec(),
                            Alias::Own => self.devices_of_same(source),
                            alias => self.spans(alias),
                        };
                        open.iter().any(within) && covers(&spans)
                    })
            })
    }

    /// Addresses of the devices whose owner has a device there.
    fn devices_of_same(&self, source: &Span) -> Vec<Span> {
        let devices = || self.roster.devices.iter();
        let is_there =
            |device: &&Device| device.addresses().iter().any(|a| span::meet(&span::one(*a), source));
        let owner = devices().find(is_there).and_then(Device::person);
        let same = devices().filter(|device| owner.is_some() && device.person() == owner);
        same.flat_map(Device::addresses).map(span::one).collect()
    }

    fn try_login(&self, trial: &LoginTrial, failures: &mut Vec<String>) {
        let name = &trial.source.0;
        if trial.accept.is_empty() && trial.deny.is_empty() && trial.check.is_empty() {
            failures.push(format!("{name}: an SSH test needs accept, deny or check"));
        }
        let source = match &trial.source.1 {
            Ok(source) => source,
            Err(what) => return failures.push(format!("{name}: {what}")),
        };
        let devices = || self.roster.devices.iter();
        let from: Vec<_> = devices().filter(|device| self.means(source, device)).collect();
        if from.is_empty() {
            failures.push(format!("{name}: names no device"));
        }
        for (text, destination) in &trial.destinations {
            let Ok(alias) = destination else { continue };
            let same =
                |device: &Device| from.iter().any(|d| d.person().is_some() && d.person() == device.person());
            let is_meant = |device: &&Device| match alias {
                Alias::Own => same(device),
                alias => self.means(alias, device),
            };
            let to: Vec<_> = devices().filter(is_meant).collect();
            if to.is_empty() {
                failures.push(format!("{name} -> {text}: names no device"));
            }
            for device in to {
                self.try_device(trial, &from, device, failures);
            }
        }
    }

    fn try_device(&self, trial: &LoginTrial, from: &[&Device], to: &Device, failures: &mut Vec<String>) {
        let rules = self.logins(to);
        let lets = |source: &Device, user: &str, checked: bool| {
            rules.iter().any(|rule| rule.lets(source, user) && (!checked || rule.checks()))
        };
        let name = &trial.source.0;
        let mut expect = |users: &[String], what: &str, holds: &dyn Fn(&Device, &str) -> bool| {
            for user in users {
                if !from.iter().all(|source| holds(source, user)) {
                    failures.push(format!("{name} -> {user} at {}: expected {what}", to.host));
                }
            }
        };
        expect(&trial.accept, "to be accepted", &|source, user| lets(source, user, false));
        expect(&trial.deny, "to be denied", &|source, user| !lets(source, user, false));
        expect(&trial.check, "to be checked", &|source, user| lets(source, user, true));
    }
}

impl SshRule {
    fn lets(&self, source: &Device, user: &str) -> bool {
        let v4 = source.v4.to_string();
        let local = self.ssh_users.get(user).or_else(|| self.ssh_users.get("*").filter(|_| user != "root"));
        !user.is_empty()
            && local.is_some_and(|local| !local.is_empty())
            && self.principals.iter().any(|principal| principal.node_ip == v4)
    }

    fn checks(&self) -> bool {
        matches!(self.action, SshAction::Check { .. })
    }
}
