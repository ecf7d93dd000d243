//! `sshTests`: who may log in where.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Device,
    alias::Alias,
    answer::{Tailnet, trial::Failures},
    policy::{LoginTrial, Ssh, SshUser},
    posture::Supposed,
};

/// A rule with the devices that it is about, by their places in the roster.
#[derive(Clone)]
struct Rule<'a> {
    ssh: &'a Ssh,
    users: BTreeMap<String, String>,
    sources: BTreeSet<usize>,
    destinations: BTreeSet<usize>,
    owns: bool,
    /// Names other destinations than `autogroup:self`.
    names: bool,
}

/// One way that a source can be let in: by the users of the rule, and perhaps by its person's name.
struct Way {
    named_after: Option<usize>,
}

impl Tailnet<'_> {
    pub(super) fn try_logins(&self, failures: &mut Failures) {
        if self.policy.logins.is_empty() {
            return;
        }
        let rules: Vec<_> = self.policy.ssh.iter().map(|ssh| self.login_rule(ssh)).collect();
        for trial in &self.policy.logins {
            self.try_login(trial, &rules, failures);
        }
    }

    fn login_rule<'p>(&self, ssh: &'p Ssh) -> Rule<'p> {
        let meant = |aliases: &[Alias]| {
            let devices = self.roster.devices.iter().enumerate();
            let meant = devices.filter(|(_, device)| aliases.iter().any(|alias| self.means(alias, device)));
            meant.map(|(at, _)| at).collect()
        };
        Rule {
            ssh,
            users: ssh.user_map(),
            sources: if self.can_record(ssh) { meant(&ssh.sources) } else { BTreeSet::new() },
            destinations: meant(&ssh.destinations),
            owns: ssh.destinations.contains(&Alias::Own),
            names: ssh.destinations.iter().any(|alias| *alias != Alias::Own),
        }
    }

    /// The rules as they are for devices of which this is all there is to know.
    fn supposing<'p>(&self, rules: &[Rule<'p>], supposed: &Supposed) -> Vec<Rule<'p>> {
        let of = |rule: &Rule<'p>| {
            let mut rule = rule.clone();
            let aliases = &rule.ssh.sources;
            if self.can_record(rule.ssh) && aliases.iter().any(|alias| matches!(alias, Alias::With(..))) {
                let meant = |device: &Device| {
                    aliases.iter().any(|alias| match alias {
                        Alias::With(alias, guard) => guard.holds_for(supposed) && self.means(alias, device),
                        alias => self.means(alias, device),
                    })
                };
                let devices = self.roster.devices.iter().enumerate();
                rule.sources = devices.filter(|(_, device)| meant(device)).map(|(at, _)| at).collect();
            }
            rule
        };
        rules.iter().map(of).collect()
    }

    fn try_login(&self, trial: &LoginTrial, rules: &[Rule], failures: &mut Failures) {
        let (name, place) = (&trial.source.0, trial.place);
        if trial.accept.is_empty() && trial.deny.is_empty() && trial.check.is_empty() {
            failures.add(place, format!("{name}: an SSH test needs accept, deny or check"));
        }
        let source = match &trial.source.1 {
            Ok(source) => source,
            Err(what) => return failures.add(place, format!("{name}: {what}")),
        };
        let places = |test: &dyn Fn(&Device) -> bool| -> Vec<usize> {
            let devices = self.roster.devices.iter().enumerate();
            devices.filter(|(_, device)| test(device)).map(|(at, _)| at).collect()
        };
        if trial.destinations.is_empty() {
            failures.add(place, format!("{name}: SSH tests entry must have at least one dst"));
        }
        let own;
        let rules = match &trial.supposed {
            None => rules,
            Some(supposed) => {
                own = self.supposing(rules, supposed);
                &own
            }
        };
        let from = places(&|device| self.means(source, device));
        if from.is_empty() {
            failures.add(place, format!("{name}: names no device"));
        }
        let people: BTreeSet<_> = from.iter().filter_map(|at| self.person_at(*at)).collect();
        for (text, destination) in &trial.destinations {
            let alias = match destination {
                Ok(alias) => alias,
                Err(what) => {
                    failures.add(place, format!("{name} -> {text}: {what}"));
                    continue;
                }
            };
            let to = places(&|device| match alias {
                Alias::Own => device.person().is_some_and(|person| people.contains(&person)),
                alias => self.means(alias, device),
            });
            if to.is_empty() {
                failures.add(place, format!("{name} -> {text}: names no device"));
            }
            for device in to {
                self.try_device(trial, rules, &from, device, failures);
            }
        }
    }

    fn try_device(
        &self,
        trial: &LoginTrial,
        rules: &[Rule],
        from: &[usize],
        to: usize,
        failures: &mut Failures,
    ) {
        let host = self.roster.devices.get(to).map(|device| device.host.as_str()).unwrap_or_default();
        let verdict = |source: usize, user: &str| {
            let letting = rules.iter().filter(|rule| self.lets(rule, source, to, user));
            letting.fold((false, false), |(_, checked), rule| (true, checked || rule.ssh.checks))
        };
        let mut expect = |users: &[String], expected: &str, holds: &dyn Fn((bool, bool)) -> bool| {
            for user in users {
                let verdicts = from.iter().map(|source| verdict(*source, user));
                if let Some(found) = verdicts.into_iter().find(|found| !holds(*found)) {
                    let what = format!("{} -> {user} at {host}", trial.source.0);
                    failures.unlike(trial.place, &what, expected, told(found));
                }
            }
        };
        expect(&trial.accept, "accepted", &|(in_, _)| in_);
        expect(&trial.deny, "denied", &|(in_, _)| !in_);
        expect(&trial.check, "checked", &|(_, checked)| checked);
    }

    fn lets(&self, rule: &Rule, source: usize, to: usize, user: &str) -> bool {
        if user.is_empty() || !rule.sources.contains(&source) {
            return false;
        }
        let by_map = rule.users.get(user).or_else(|| rule.users.get("*").filter(|_| user != "root"));
        let by_map = by_map.is_some_and(|local| !local.is_empty());
        self.ways(rule, source, to).iter().any(|way| {
            by_map || way.named_after.is_some_and(|person| self.is_name_of(rule.ssh, person, user))
        })
    }

    /// The parts of the rule that the destination is told and the source is a principal of.
    fn ways(&self, rule: &Rule, source: usize, to: usize) -> Vec<Way> {
        let (person, owner) = (self.person_at(source), self.person_at(to));
        let is_own = owner.is_some() && person == owner;
        let mut ways = Vec::new();
        if rule.owns && is_own {
            ways.push(Way { named_after: owner });
        }
        let by_name = rule.ssh.has_local_part();
        if rule.destinations.contains(&to) {
            ways.push(Way { named_after: person.filter(|_| by_name) });
        } else if by_name && rule.names && rule.sources.contains(&to) && (source == to || is_own) {
            ways.push(Way { named_after: owner });
        }
        ways
    }

    fn is_name_of(&self, ssh: &Ssh, person: usize, user: &str) -> bool {
        let mailbox = self.roster.people.get(person).and_then(|person| person.mailbox());
        let Some((name, own)) = mailbox else { return false };
        name == user
            && ssh.users.iter().any(|user| matches!(user, SshUser::LocalPart(domain) if domain == own))
    }

    fn person_at(&self, device: usize) -> Option<usize> {
        self.roster.devices.get(device).and_then(Device::person)
    }
}

fn told((is_in, checked): (bool, bool)) -> &'static str {
    match (is_in, checked) {
        (false, _) => "denied",
        (true, false) => "accepted",
        (true, true) => "checked",
    }
}
