//! Both ends of a question, and which rules mean them.

use std::net::IpAddr;

use ident::Tag;
use ipnet::IpNet;

use super::{party, stage::covers, traffic::Traffic};
use crate::{
    Device, Document, Roster,
    alias::{Alias, login, nearest as nearest_name},
    answer::{Tailnet, members::literals},
    policy::{Acl, Ssh, SshUser},
    source::span::{self, Span},
};

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

impl Document {
    /// Who is meant; a person or device that is only imagined is put into the roster.
    pub(super) fn find(
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
        let known = roster.people.iter().position(|person| !login.is_empty() && person.is(&login));
        let place = known.unwrap_or_else(|| {
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

fn named(device: &Device, roster: &Roster) -> String {
    let owner = device.person().and_then(|at| roster.people.get(at)).map(|person| person.name.clone());
    let tags = device.tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("{} ({})", device.name, owner.unwrap_or(tags))
}
