//! Why something is open, or what would open it.

use std::net::IpAddr;

use ident::Tag;
use ipnet::IpNet;
use serde::Serialize;

use super::{
    nearest::{self, Near},
    party,
    ruling::Place,
    source::Lines,
    stage::covers,
    traffic::Traffic,
};
use crate::{
    Device, Document, Roster,
    alias::{Alias, login, nearest as nearest_name},
    answer::{Tailnet, members::literals},
    policy::{Acl, Ssh, SshUser},
    source::span::{self, Span},
};

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// A device, a person, a tag, a group or an address.
    pub from: String,
    /// The same, a prefix, or `internet`.
    pub to: String,
    /// Without it, whether any port is open.
    pub port: Option<u16>,
    /// By name or number; without it, whether any protocol is let through.
    pub protocol: Option<String>,
    /// A login by SSH as this user.
    pub ssh_user: Option<String>,
}

/// A rule that says something about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Its line, from 1.
    pub line: Option<u32>,
    /// The rule, in one line.
    pub rule: String,
    /// What it opens here.
    pub opens: String,
}

/// Whether somebody may log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Login {
    /// As whom.
    pub user: String,
    /// Whether a rule of `ssh` lets them.
    pub allowed: bool,
    /// Whether it asks for a check first.
    pub checked: bool,
    /// That rule.
    pub because: Vec<Said>,
    /// The rules of `ssh` that come nearest, when none does.
    pub nearest: Vec<Near>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether it is open; for a login, whether both the login and its port are.
    pub allowed: bool,
    /// What was understood as the source.
    pub from: String,
    /// What was understood as the destination.
    pub to: String,
    /// The rules that open it.
    pub because: Vec<Said>,
    /// What comes nearest to opening it, when nothing does.
    pub nearest: Vec<Near>,
    /// The login, when one was asked for.
    pub login: Option<Login>,
    /// What else matters.
    pub notes: Vec<String>,
}

/// An end of the question.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Device(Box<Device>),
    Network(Span),
    Internet,
}

pub(crate) struct Ends<'a> {
    pub(crate) tailnet: Tailnet<'a>,
    pub(crate) from: (String, End),
    pub(crate) to: (String, End),
}

/// What is wanted of the network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) protocol: Option<i32>,
    pub(crate) port: Option<u16>,
}

impl Document {
    /// Answers the question for the devices and people of the roster; whoever is not among them is imagined. The error
    /// says which word of the question means nothing.
    pub fn explain(&self, roster: &Roster, question: &Question) -> Result<Explanation, String> {
        let mut roster = roster.clone();
        let mut notes = Vec::new();
        let from = self.find(&question.from, &mut roster, &mut notes)?;
        let to = self.find(&question.to, &mut roster, &mut notes)?;
        if matches!(from.1, End::Internet) {
            return Err("nothing comes from the internet: an exit node leads there only".to_owned());
        }
        let protocol = match &question.protocol {
            None => None,
            Some(text) => Some(crate::protocol::parse(text).ok_or(format!("{text:?} is no protocol"))?),
        };
        let wanted = match question.ssh_user {
            Some(_) => Wanted { protocol: Some(6), port: Some(question.port.unwrap_or(22)) },
            None => Wanted { protocol, port: question.port },
        };
        let ends = Ends { tailnet: Tailnet { policy: self.content(), roster: &roster }, from, to };
        let lines = Lines::of(self.text());
        let because = ends.opened(wanted, &lines);
        ends.note_ways(&mut notes);
        let carried = ends.is_carried();
        let login = question.ssh_user.as_ref().map(|user| ends.login(user, &lines));
        let open = !because.is_empty() && carried;
        let nearest = if because.is_empty() { nearest::network(&ends, wanted, &lines) } else { Vec::new() };
        Ok(Explanation {
            allowed: open && login.as_ref().is_none_or(|login| login.allowed),
            from: ends.from.0,
            to: ends.to.0,
            because,
            nearest,
            login,
            notes,
        })
    }

    /// Who is meant; a person or device that is only imagined is put into the roster.
    fn find(
        &self,
        text: &str,
        roster: &mut Roster,
        notes: &mut Vec<String>,
    ) -> Result<(String, End), String> {
        let text = text.trim();
        let lower = text.to_lowercase();
        let is_named = |d: &&Device| d.name.to_lowercase() == lower || d.host.to_lowercase() == lower;
        if let Some(device) = roster.devices.iter().find(is_named) {
            return Ok((named(device, roster), End::Device(Box::new(device.clone()))));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            if let Some(device) = roster.devices.iter().find(|d| d.addresses().contains(&address)) {
                return Ok((named(device, roster), End::Device(Box::new(device.clone()))));
            }
            return Ok((text.to_owned(), End::Network(span::one(address))));
        }
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok((text.to_owned(), End::Network(span::of(&net.trunc()))));
        }
        if matches!(lower.as_str(), "internet" | "autogroup:internet") {
            return Ok(("autogroup:internet".to_owned(), End::Internet));
        }
        if lower.starts_with("tag:") {
            return self.with_tags(text, notes);
        }
        let login = if lower.starts_with("group:") {
            self.a_member(text, roster)?
        } else if lower == "autogroup:member" {
            String::new()
        } else if text.contains('@') {
            login(text).map_err(|mistake| mistake.message)?
        } else if roster.people.iter().any(|person| person.is(&lower)) {
            lower
        } else {
            let devices = roster.devices.iter().map(|device| device.name.as_str());
            let hint = nearest_name(text, devices).unwrap_or_else(|| {
                "name a device, a login such as alice@, a tag, a group, an address or internet".to_owned()
            });
            return Err(format!("{text:?} is no device and no person here; {hint}"));
        };
        let place = roster.people.iter().position(|person| person.is(&login)).unwrap_or_else(|| {
            roster.people.push(party::person(&login));
            roster.people.len() - 1
        });
        let mut device = party::device(Vec::new());
        device.owner = Some(place);
        let name = match (text.starts_with("group:"), login.is_empty()) {
            (true, _) => format!("a device of {login}, who is in {text}"),
            (false, true) => "a device of somebody whom no rule names".to_owned(),
            (false, false) => format!("a device of {login}"),
        };
        Ok((name, End::Device(Box::new(device))))
    }

    fn with_tags(&self, text: &str, notes: &mut Vec<String>) -> Result<(String, End), String> {
        let tags: Result<Vec<Tag>, _> = text.split('+').map(|tag| tag.trim().parse::<Tag>()).collect();
        let tags = tags.map_err(|error| format!("{text:?}: {error}"))?;
        for tag in tags.iter().filter(|tag| !self.content().tag_owners.contains_key(tag)) {
            notes.push(format!("{tag} is not in tagOwners, so no rule can name it"));
        }
        Ok((format!("a device with {text}"), End::Device(Box::new(party::device(tags)))))
    }

    fn a_member(&self, group: &str, roster: &Roster) -> Result<String, String> {
        let groups = &self.content().groups;
        let Some(members) = groups.get(group) else {
            let hint = nearest_name(group, groups.keys().map(String::as_str)).unwrap_or_default();
            return Err(format!("the policy has no group {group:?} {hint}").trim_end().to_owned());
        };
        let known = members.iter().find(|login| roster.people.iter().any(|person| person.is(login)));
        known.or(members.first()).cloned().ok_or_else(|| format!("nobody is in {group}"))
    }
}

fn named(device: &Device, roster: &Roster) -> String {
    let owner = device.person().and_then(|at| roster.people.get(at)).map(|person| person.name.clone());
    let tags = device.tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("{} ({})", device.name, owner.unwrap_or(tags))
}

impl Ends<'_> {
    /// Whether the aliases of a source mean the first end.
    pub(crate) fn is_from(&self, alias: &Alias) -> bool {
        match &self.from.1 {
            End::Device(device) => self.means(alias, device),
            End::Network(inner) => {
                *alias == Alias::Any || literals(alias).iter().any(|outer| covers(outer, inner))
            }
            End::Internet => false,
        }
    }

    /// Whether an alias of a destination means the second end.
    pub(crate) fn is_to(&self, alias: &Alias) -> bool {
        match &self.to.1 {
            End::Device(device) if *alias == Alias::Own => match &self.from.1 {
                End::Device(from) => from.person().is_some() && from.person() == device.person(),
                End::Network(_) | End::Internet => false,
            },
            End::Device(device) => self.means(alias, device),
            End::Network(inner) => {
                *alias == Alias::Any || literals(alias).iter().any(|outer| covers(outer, inner))
            }
            End::Internet => matches!(alias, Alias::Any | Alias::Internet),
        }
    }

    /// An imagined device has no address yet.
    fn means(&self, alias: &Alias, device: &Device) -> bool {
        if device.v4.is_unspecified() {
            return *alias == Alias::Any || self.tailnet.names(alias, device);
        }
        self.tailnet.means(alias, device)
    }

    /// Whether a router that the rule allows leads there.
    pub(crate) fn is_by(&self, via: &[Tag]) -> bool {
        via.is_empty() || self.ways().any(|router| via.iter().any(|tag| router.tags.contains(tag)))
    }

    /// The routers to the second end; a device needs none.
    pub(crate) fn ways(&self) -> impl Iterator<Item = &Device> {
        self.tailnet.roster.devices.iter().filter(|device| match &self.to.1 {
            End::Device(_) => false,
            End::Network(inner) => device.subnets().any(|net| covers(&span::of(net), inner)),
            End::Internet => device.is_exit_node(),
        })
    }

    /// What an entry of the network opens from the one end to the other.
    pub(crate) fn traffic(&self, acl: &Acl) -> Traffic {
        let mut open = Traffic::default();
        if !self.is_by(&acl.via) || !acl.sources.iter().any(|named| self.is_from(&named.alias)) {
            return open;
        }
        for (_, ports) in acl.destinations.iter().filter(|(named, _)| self.is_to(&named.alias)) {
            open.add(&Traffic::of(&acl.protocols, ports, &acl.via));
        }
        open
    }

    fn is_carried(&self) -> bool {
        matches!(self.to.1, End::Device(_)) || self.ways().next().is_some()
    }

    fn note_ways(&self, notes: &mut Vec<String>) {
        let names: Vec<_> = self.ways().take(3).map(|router| router.name.as_str()).collect();
        match &self.to.1 {
            End::Device(_) => {}
            End::Network(_) if names.is_empty() => {
                notes
                    .push(format!("no device has an approved route to {}, so nothing gets there", self.to.0));
            }
            End::Internet if names.is_empty() => notes.push("there is no approved exit node".to_owned()),
            End::Network(_) | End::Internet => notes.push(format!("behind {}", names.join(", "))),
        }
    }

    fn opened(&self, wanted: Wanted, lines: &Lines) -> Vec<Said> {
        let acls = self.tailnet.policy.acls.iter().map(|acl| (acl, self.traffic(acl)));
        let opening = acls.filter(|(_, open)| open.holds(wanted.protocol, wanted.port));
        let said = opening.map(|(acl, open)| said(lines, Place::Line(acl.line), open.to_string()));
        said.collect()
    }

    fn login(&self, user: &str, lines: &Lines) -> Login {
        let wanted = SshUser::Name(user.to_owned());
        let lets = |rule: &&Ssh| self.lets(rule, &wanted);
        let rules = &self.tailnet.policy.ssh;
        let first = rules.iter().filter(|rule| rule.checks).find(lets);
        let found = first.or_else(|| rules.iter().find(lets));
        let how =
            |rule: &Ssh| if rule.checks { format!("as {user} after a check") } else { format!("as {user}") };
        Login {
            user: user.to_owned(),
            allowed: found.is_some(),
            checked: found.is_some_and(|rule| rule.checks),
            because: found.iter().map(|rule| said(lines, Place::Line(rule.line), how(rule))).collect(),
            nearest: if found.is_some() { Vec::new() } else { nearest::login(self, &wanted, lines) },
        }
    }

    pub(crate) fn lets(&self, rule: &Ssh, user: &SshUser) -> bool {
        self.user_fits(rule, user)
            && rule.sources.iter().any(|alias| self.is_from(alias))
            && rule.destinations.iter().any(|alias| self.is_to(alias))
    }

    /// `localpart:*@domain` is the name of the source's owner within the domain.
    pub(crate) fn user_fits(&self, rule: &Ssh, user: &SshUser) -> bool {
        let owner = match &self.from.1 {
            End::Device(device) => device.person().and_then(|at| self.tailnet.roster.people.get(at)),
            End::Network(_) | End::Internet => None,
        };
        let mailbox = owner.and_then(|person| person.mailbox());
        let local = rule.users.iter().any(|known| match (known, mailbox, user) {
            (SshUser::LocalPart(domain), Some((local, own)), SshUser::Name(name)) => {
                domain == own && local == name
            }
            _ => false,
        });
        local || user.is_among(&rule.users)
    }
}

fn said(lines: &Lines, place: Place, opens: String) -> Said {
    let (line, rule) = lines.find(place);
    Said { line, rule, opens }
}
