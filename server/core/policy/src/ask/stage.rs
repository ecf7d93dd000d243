//! The parties under one policy, or under two that are compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ident::Tag;
use ipnet::IpNet;

use super::{
    TooLarge, Work,
    party::{self, Imagined, Nature, Party, Side, Who},
    place::{Glossary, Like},
    shift::Whose,
};
use crate::{
    Person, Roster, SourceRange,
    alias::Alias,
    policy::Content,
    source::span::{self, Span},
    subject::is_exit,
};

/// The parties and what means them.
pub(crate) struct Stage<'a> {
    pub(crate) parties: Vec<Party>,
    pub(crate) internet: u32,
    pub(crate) own: u32,
    pub(crate) attributes: u32,
    roster: &'a Roster,
    glossary: Glossary<'a>,
    /// Parties by alias, ascending.
    meant: Vec<Vec<u32>>,
    /// Networks, ascending.
    networks: Vec<u32>,
    /// Aliases with their texts.
    words: Vec<(u32, String)>,
    /// The right to give a tag.
    tags: BTreeMap<&'a Tag, u32>,
    /// How many devices each person has.
    owned: BTreeMap<usize, usize>,
    /// Those with devices of the same people, ascending, by party.
    kin: Vec<Vec<u32>>,
}

/// Devices that no alias tells apart, before they have a name.
#[derive(Default)]
struct Class {
    devices: Vec<usize>,
    names: Vec<String>,
    people: BTreeSet<Who>,
    foretold: bool,
}

impl<'a> Stage<'a> {
    /// The second policy is the newer one. `kinds` are sets of tags that devices can get.
    pub(crate) fn set(
        policies: &[&'a Content],
        roster: &'a Roster,
        kinds: &[Vec<Tag>],
        work: &mut Work,
    ) -> Result<Self, TooLarge> {
        let mut glossary = Glossary::default();
        for (which, policy) in policies.iter().enumerate() {
            party::aliases(policy).for_each(|alias| glossary.add(alias, which, policy));
        }
        let mut stage = Self {
            parties: Vec::new(),
            internet: 0,
            own: 0,
            attributes: 0,
            roster,
            meant: vec![Vec::new(); glossary.len()],
            words: glossary.words().collect(),
            glossary,
            networks: Vec::new(),
            tags: BTreeMap::new(),
            owned: BTreeMap::new(),
            kin: Vec::new(),
        };
        for owner in roster.devices.iter().filter_map(crate::Device::person) {
            *stage.owned.entry(owner).or_default() += 1;
        }
        stage.add_devices(&party::imagined(policies, roster, kinds), work)?;
        stage.find_kin(work)?;
        stage.add_networks(policies, work)?;
        stage.internet = stage.add(Nature::Internet, "autogroup:internet".to_owned());
        let exits = roster.devices.iter().enumerate().filter(|(_, device)| device.is_exit_node());
        stage.parties[stage.internet as usize].devices = exits.map(|(at, _)| at).collect();
        stage.own = stage.add(Nature::Own, "autogroup:self".to_owned());
        stage.attributes = stage.add(Nature::Attributes, "itself".to_owned());
        stage.add_tags(policies);
        Ok(stage)
    }

    /// The right to give this tag.
    pub(crate) fn claim(&self, tag: &Tag) -> Option<u32> {
        self.tags.get(tag).copied()
    }

    /// The parties in as few words as there are for exactly these.
    pub(crate) fn sides(&self, ids: &[u32]) -> Vec<Side> {
        const FEW: usize = 3;
        let mut left: BTreeSet<u32> = ids.iter().copied().collect();
        let mut sides = Vec::new();
        while left.len() > FEW {
            let all = |parties: &[u32]| parties.len() > 1 && parties.iter().all(|id| left.contains(id));
            let fitting = self.words.iter().filter(|(alias, _)| all(&self.meant[*alias as usize]));
            let Some((alias, name)) = fitting.max_by_key(|(alias, _)| self.meant[*alias as usize].len())
            else {
                break;
            };
            let (name, parties) = (name.clone(), &self.meant[*alias as usize]);
            let devices =
                parties.iter().filter_map(|id| self.party(*id)).map(|party| party.devices.len()).sum();
            sides.push(Side { name, devices });
            parties.iter().for_each(|id| _ = left.remove(id));
        }
        sides.extend(left.iter().filter_map(|id| self.party(*id)).map(Party::side));
        sides.sort();
        sides
    }

    /// The parties in which the same people have devices, itself among them; none where nobody owns the devices.
    pub(crate) fn kin(&self, of: u32) -> &[u32] {
        self.kin.get(of as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether all of both belong to one person.
    pub(crate) fn is_of_one_person(&self, a: u32, b: u32) -> bool {
        let (Some(a), Some(b)) = (self.party(a), self.party(b)) else { return false };
        a.people.len() == 1 && a.people == b.people
    }

    /// How many pairs of different devices lie between the parties.
    pub(crate) fn pairs(&self, from: u32, to: u32, whose: Whose) -> u64 {
        let all = self.all_pairs(from, to);
        match whose {
            Whose::Anybody => all,
            Whose::Own => self.own_pairs(from, to),
            Whose::Others => all - self.own_pairs(from, to),
        }
    }

    fn own_pairs(&self, from: u32, to: u32) -> u64 {
        let (Some(a), Some(b)) = (self.party(from), self.party(to)) else { return 0 };
        let owner = |at: &usize| self.roster.devices.get(*at).and_then(crate::Device::person);
        let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
        b.devices.iter().filter_map(owner).for_each(|owner| *counts.entry(owner).or_default() += 1);
        let itself = u64::from(from == to);
        let others = a.devices.iter().filter_map(owner).filter_map(|owner| counts.get(&owner));
        others.map(|count| count - itself).sum()
    }

    fn all_pairs(&self, from: u32, to: u32) -> u64 {
        let (Some(a), Some(b)) = (self.party(from), self.party(to)) else { return 0 };
        let others = |at: &usize| {
            let owner = self.roster.devices.get(*at).and_then(crate::Device::person);
            owner.and_then(|owner| self.owned.get(&owner)).map_or(0, |count| count - 1) as u64
        };
        match b.nature {
            Nature::Own => a.devices.iter().map(others).sum(),
            _ if from == to => (a.devices.len() as u64) * (a.devices.len() as u64).saturating_sub(1),
            _ => (a.devices.len() as u64) * (b.devices.len() as u64),
        }
    }

    fn add_tags(&mut self, policies: &[&'a Content]) {
        for (which, policy) in policies.iter().enumerate() {
            for tag in policy.tag_owners.keys() {
                if !self.tags.contains_key(tag) {
                    let id = self.add(Nature::Tag, tag.to_string());
                    self.parties[id as usize].foretold = which > 0;
                    self.tags.insert(tag, id);
                }
            }
        }
    }

    pub(crate) fn party(&self, id: u32) -> Option<&Party> {
        self.parties.get(id as usize)
    }

    pub(crate) fn is_device(&self, id: u32) -> bool {
        self.party(id).is_some_and(|party| party.nature == Nature::Devices)
    }

    /// The parties that these aliases mean, ascending.
    pub(crate) fn meant<'s>(&self, aliases: impl IntoIterator<Item = &'s Alias>, which: usize) -> Vec<u32> {
        let mut found = Vec::new();
        for alias in aliases {
            match alias {
                Alias::Internet => found.push(self.internet),
                Alias::Own => found.push(self.own),
                alias => {
                    let id = self.glossary.id(alias, which);
                    found.extend(id.and_then(|id| self.meant.get(id as usize)).into_iter().flatten());
                }
            }
            if *alias == Alias::Any {
                found.extend(self.networks.iter().chain([&self.internet]));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The networks that lie within the prefix.
    pub(crate) fn within(&self, net: &IpNet) -> Vec<u32> {
        let outer = span::of(net);
        let lies = |id: &&u32| matches!(self.party(**id).map(|party| &party.nature), Some(Nature::Network(inner)) if covers(&outer, inner));
        self.networks.iter().filter(lies).copied().collect()
    }

    fn add(&mut self, nature: Nature, name: String) -> u32 {
        self.parties.push(Party {
            nature,
            name,
            devices: Vec::new(),
            people: BTreeSet::new(),
            foretold: false,
        });
        self.parties.len() as u32 - 1
    }

    fn find_kin(&mut self, work: &mut Work) -> Result<(), TooLarge> {
        let mut holders: BTreeMap<Who, Vec<u32>> = BTreeMap::new();
        for (party, id) in self.parties.iter().zip(0..) {
            party.people.iter().for_each(|who| holders.entry(*who).or_default().push(id));
        }
        for party in &self.parties {
            let mut kin = BTreeSet::new();
            for held in party.people.iter().filter_map(|who| holders.get(who)) {
                work.spend(held.len())?;
                kin.extend(held);
            }
            self.kin.push(kin.into_iter().collect());
        }
        Ok(())
    }

    fn add_devices(&mut self, imagined: &[Imagined], work: &mut Work) -> Result<(), TooLarge> {
        let mut classes: BTreeMap<Vec<u32>, Class> = BTreeMap::new();
        let kinds = self.glossary.kinds();
        work.spend((self.roster.devices.len() + imagined.len() * kinds.len()) * self.glossary.cost())?;
        for (at, device) in self.roster.devices.iter().enumerate() {
            let owner = device.person().and_then(|place| Some((self.roster.people.get(place)?, place)));
            let key = self.glossary.of(
                &device.tags,
                owner.map(|(person, place)| (person, Some(place))),
                &device.addresses(),
                Like::Known(device.traits.as_ref()),
            );
            let name = self.glossary.name(&device.tags, owner.map(|(person, _)| person), &key);
            let class = classes.entry(key).or_default();
            class.devices.push(at);
            class.names.push(name);
            class.people.extend(owner.map(|(_, place)| Who::There(place)));
        }
        for (number, Imagined { device, person, place, foretold }) in imagined.iter().enumerate() {
            let person: Option<&Person> = person.as_ref();
            for like in &kinds {
                let owner = person.map(|person| (person, *place));
                let key = self.glossary.of(&device.tags, owner, &[], *like);
                let name = self.glossary.name(&device.tags, person, &key);
                let class =
                    classes.entry(key).or_insert_with(|| Class { foretold: true, ..Class::default() });
                class.foretold &= *foretold;
                class.names.push(name);
                let who = place.map_or(Who::Imagined(number), Who::There);
                class.people.extend(person.map(|_| who));
            }
        }
        for (key, class) in classes {
            let id = self.parties.len() as u32;
            for alias in key {
                if let Some(parties) = self.meant.get_mut(alias as usize) {
                    parties.push(id);
                }
            }
            self.parties.push(class.named());
        }
        self.tell_apart();
        Ok(())
    }

    /// Parties of one name differ by address: some of their devices are named.
    fn tell_apart(&mut self) {
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for party in &self.parties {
            *names.entry(party.name.clone()).or_default() += 1;
        }
        let devices = &self.roster.devices;
        for party in self.parties.iter_mut().filter(|party| names.get(&party.name).is_some_and(|n| *n > 1)) {
            let mut some: Vec<_> = party
                .devices
                .iter()
                .take(2)
                .filter_map(|at| devices.get(*at))
                .map(|d| d.host.as_str())
                .collect();
            if party.devices.len() > some.len() {
                some.push("…");
            }
            if !some.is_empty() {
                party.name = format!("{} ({})", party.name, some.join(", "));
            }
        }
    }

    /// Networks that are routed, and those that the policies name; a single address of a device is the device.
    fn add_networks(&mut self, policies: &[&'a Content], work: &mut Work) -> Result<(), TooLarge> {
        let devices = &self.roster.devices;
        let own: BTreeSet<IpAddr> = devices.iter().flat_map(|d| d.addresses()).collect();
        let routed = devices.iter().flat_map(|device| device.subnets()).map(span::of);
        let named = self.glossary.literals().flat_map(|(_, spans)| spans).collect::<Vec<_>>();
        let approved =
            policies.iter().flat_map(|policy| policy.approvers.iter().map(|(net, _)| span::of(net)));
        let mut spans: Vec<Span> = routed.chain(named).chain(approved).collect();
        spans.retain(|(first, last)| first != last || !own.contains(first));
        spans.sort_unstable();
        spans.dedup();
        for span in spans {
            let id = self.add(Nature::Network(span), text(&span));
            self.networks.push(id);
        }
        for (alias, outer) in self.glossary.literals().collect::<Vec<_>>() {
            work.spend(self.networks.len() * outer.len())?;
            let covered = self.networks.iter().copied().filter(|id| {
                matches!(self.party(*id).map(|party| &party.nature), Some(Nature::Network(inner))
                    if outer.iter().any(|outer| covers(outer, inner)))
            });
            let covered: Vec<u32> = covered.collect();
            if let Some(parties) = self.meant.get_mut(alias as usize) {
                parties.extend(covered);
            }
        }
        let mut by_span: BTreeMap<Span, Vec<usize>> = BTreeMap::new();
        for (at, device) in devices.iter().enumerate() {
            device.subnets().for_each(|net| by_span.entry(span::of(net)).or_default().push(at));
        }
        for party in &mut self.parties {
            if let Nature::Network(span) = &party.nature {
                party.devices = by_span.get(span).cloned().unwrap_or_default();
            }
        }
        Ok(())
    }
}

impl Class {
    fn named(mut self) -> Party {
        const MOST: usize = 3;
        self.names.sort_unstable();
        self.names.dedup();
        let more = self.names.len().saturating_sub(MOST);
        self.names.truncate(MOST);
        let mut name = self.names.join(", ");
        if more > 0 {
            name.push_str(&format!(" and {more} more"));
        }
        Party {
            nature: Nature::Devices,
            name,
            devices: self.devices,
            people: self.people,
            foretold: self.foretold,
        }
    }
}

pub(crate) fn covers(outer: &Span, inner: &Span) -> bool {
    outer.0.is_ipv4() == inner.0.is_ipv4() && outer.0 <= inner.0 && inner.1 <= outer.1
}

fn text(span: &Span) -> String {
    match span::nets(&[*span])[..] {
        [net] if is_exit(&net) => net.to_string(),
        [net] => SourceRange::Prefix(net).to_string(),
        _ => SourceRange::Span(span.0, span.1).to_string(),
    }
}
