//! Those whom an answer is about: devices that no rule tells apart, networks, the internet, one's own devices.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, Ipv6Addr},
};

use ident::Tag;
use serde::Serialize;

use crate::{Device, Person, Roster, alias::Alias, policy::Content, source::span::Span};

/// One side of an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Side {
    /// `tag:web`, `group:ops`, a login, a prefix, `autogroup:internet`, `autogroup:self`.
    pub name: String,
    /// How many devices there are of it now.
    pub devices: usize,
}

/// What a party is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Nature {
    Devices,
    Network(Span),
    Internet,
    /// The other devices of whoever asks.
    Own,
    /// The right to give a tag.
    Tag,
    /// What a device is told to be.
    Attributes,
}

/// Somebody of the roster, or somebody imagined, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    There(usize),
    Imagined(usize),
}

/// Those who are all alike to every rule.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) nature: Nature,
    pub(crate) name: String,
    /// Places in the roster.
    pub(crate) devices: Vec<usize>,
    /// Whose they are: devices that are there or imagined.
    pub(crate) people: BTreeSet<Who>,
    /// Nobody can be it yet: only the newer policy speaks of it.
    pub(crate) foretold: bool,
}

impl Party {
    pub(crate) fn side(&self) -> Side {
        Side { name: self.name.clone(), devices: self.devices.len() }
    }
}

/// A device that might be.
pub(crate) struct Imagined {
    pub(crate) device: Device,
    pub(crate) person: Option<Person>,
    /// The person's place in the roster.
    pub(crate) place: Option<usize>,
    pub(crate) foretold: bool,
}

/// A device with each of these sets of tags, one of each person the policies or the roster name, and one of a person
/// whom nobody names. The second policy is the newer one.
pub(crate) fn imagined(policies: &[&Content], roster: &Roster, kinds: &[Vec<Tag>]) -> Vec<Imagined> {
    let older = policies.iter().take(1);
    let known: BTreeSet<&Tag> = older.flat_map(|policy| policy.tag_owners.keys()).collect();
    let mut tags: BTreeSet<(Vec<Tag>, bool)> = kinds.iter().map(|kind| (kind.clone(), false)).collect();
    for policy in policies {
        for (tag, owners) in &policy.tag_owners {
            tags.insert((vec![tag.clone()], !known.contains(tag) && owners.is_empty()));
        }
    }
    let of_tags = tags.into_iter().map(|(tags, foretold)| Imagined {
        device: device(tags),
        person: None,
        place: None,
        foretold,
    });
    let of_people = people(policies, roster).into_iter().map(|(person, place, foretold)| Imagined {
        device: device(Vec::new()),
        person: Some(person),
        place,
        foretold,
    });
    of_tags.chain(of_people).collect()
}

/// With their places in the roster, and whether only the newer policy knows them.
fn people(policies: &[&Content], roster: &Roster) -> Vec<(Person, Option<usize>, bool)> {
    let known: BTreeSet<&str> = policies.iter().take(1).copied().flat_map(logins).collect();
    let named: BTreeSet<&str> = policies.iter().copied().flat_map(logins).collect();
    let names = roster.people.iter().flat_map(|person| [person.name.as_str(), person.email.as_str()]);
    let there: BTreeSet<&str> = names.collect();
    let mut people: Vec<_> =
        roster.people.iter().zip(0..).map(|(person, place)| (person.clone(), Some(place), false)).collect();
    let strangers = named.difference(&there);
    people.extend(strangers.map(|login| (person(login), None, !known.contains(login))));
    for alias in policies.iter().flat_map(|policy| aliases(policy)) {
        match alias {
            Alias::Domain(domain) => people.push((person(&format!("*@{domain}")), None, false)),
            Alias::Role(role) => {
                let person = Person { roles: Some(vec![(*role).to_owned()]), ..Person::default() };
                people.push((person, None, false));
            }
            _ => {}
        }
    }
    people.push((Person { roles: Some(Vec::new()), ..Person::default() }, None, false));
    people
}

/// A device of each person and one with each tag.
pub(crate) fn imagined_roster(policy: &Content) -> Roster {
    let mut roster = Roster::default();
    for (at, mut new) in imagined(&[policy], &Roster::default(), &[]).into_iter().enumerate() {
        let number = u32::try_from(at).unwrap_or_default() + 1;
        new.device.v4 = Ipv4Addr::from(u32::from(Ipv4Addr::new(100, 64, 0, 0)) + number);
        let base = u128::from(Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 0));
        new.device.v6 = Ipv6Addr::from(base + u128::from(number));
        new.device.name = format!("imagined-{number}");
        new.device.host = new.device.name.clone();
        if let Some(person) = new.person {
            new.device.owner = Some(roster.people.len());
            roster.people.push(person);
        }
        roster.devices.push(new.device);
    }
    roster
}

/// Every alias of the rules, and those of owners and approvers.
pub(crate) fn aliases(policy: &Content) -> impl Iterator<Item = &Alias> {
    let acls = policy.acls.iter().flat_map(|acl| {
        let to = acl.destinations.iter().map(|(named, _)| &named.alias);
        acl.sources.iter().map(|named| &named.alias).chain(to)
    });
    let apps = policy.apps.iter().flat_map(|app| app.sources.iter().chain(&app.destinations));
    let ssh = policy.ssh.iter().flat_map(|rule| rule.sources.iter().chain(&rule.destinations));
    let attributes = policy.attributes.iter().flat_map(|attribute| &attribute.targets);
    let approvers = policy.approvers.iter().flat_map(|(_, by)| by).chain(&policy.exit_approvers);
    acls.chain(apps).chain(ssh).chain(policy.tag_owners.values().flatten()).chain(approvers).chain(attributes)
}

fn logins(policy: &Content) -> impl Iterator<Item = &str> {
    let users = aliases(policy).filter_map(|alias| match alias {
        Alias::User(login) => Some(login.as_str()),
        _ => None,
    });
    users.chain(policy.groups.values().flatten().map(String::as_str))
}

pub(crate) fn person(login: &str) -> Person {
    let email = if login.contains('@') { login.to_owned() } else { String::new() };
    Person { name: login.to_owned(), email, roles: Some(Vec::new()) }
}

/// Without an address: those that no alias names are outside of the mesh.
pub(crate) fn device(tags: Vec<Tag>) -> Device {
    Device {
        name: String::new(),
        host: String::new(),
        tags,
        owner: None,
        v4: Ipv4Addr::UNSPECIFIED,
        v6: Ipv6Addr::UNSPECIFIED,
        routes: Vec::new(),
        traits: None,
    }
}
