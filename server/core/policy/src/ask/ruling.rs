//! Rules with the parties that they mean.

use std::collections::BTreeMap;

use ident::Tag;

use super::{TooLarge, Work, party::Nature, shift::Kind, stage::Stage, traffic::Traffic};
use crate::{
    PortRange,
    alias::Alias,
    policy::{Acl, Attribute, Content, Recording, SshUser},
};

/// One thing that a rule opens.
#[derive(Debug)]
pub(crate) struct Ruling<'a> {
    pub(crate) place: Place<'a>,
    /// Ascending.
    pub(crate) sources: Vec<u32>,
    /// Ascending.
    pub(crate) destinations: Vec<u32>,
    pub(crate) opens: Opens<'a>,
}

/// Where in the policy it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place<'a> {
    /// Line from 1.
    Line(u32),
    /// A member of `tagOwners`.
    Owners(&'a Tag),
    /// A member of `autoApprovers`; none is `exitNode`.
    Approvers(Option<ipnet::IpNet>),
}

/// What it opens.
#[derive(Debug, PartialEq)]
pub(crate) enum Opens<'a> {
    Traffic(Traffic),
    Login { checks: bool, users: &'a [SshUser], recording: Option<&'a Recording> },
    Caps(&'a BTreeMap<String, serde_json::Value>),
    Claim,
    Route,
    Attributes(&'a Attribute),
}

impl Opens<'_> {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Opens::Traffic(_) => Kind::Network,
            Opens::Login { .. } => Kind::Login,
            Opens::Caps(_) => Kind::App,
            Opens::Claim => Kind::Tag,
            Opens::Route => Kind::Route,
            Opens::Attributes(_) => Kind::Attribute,
        }
    }
}

impl Ruling<'_> {
    /// Whether it says the same, wherever it stands.
    pub(crate) fn is_same(&self, other: &Ruling) -> bool {
        self.sources == other.sources && self.destinations == other.destinations && self.opens == other.opens
    }
}

/// Everything that a policy opens, in the order of its sections.
pub(crate) fn rulings<'a>(
    stage: &Stage<'a>,
    policy: &'a Content,
    which: usize,
    work: &mut Work,
) -> Result<Vec<Ruling<'a>>, TooLarge> {
    let mut out = Vec::new();
    for acl in &policy.acls {
        acl_rulings(stage, acl, which, &mut out);
        spend(&out, work)?;
    }
    for app in &policy.apps {
        let sources = stage.meant(&app.sources, which);
        let mut destinations = stage.meant(&app.destinations, which);
        destinations.retain(|id| stage.is_device(*id) || *id == stage.own);
        let (place, opens) = (Place::Line(app.line), Opens::Caps(&app.caps));
        out.push(Ruling { place, sources, destinations, opens });
        spend(&out, work)?;
    }
    for rule in &policy.ssh {
        let mut sources = stage.meant(&rule.sources, which);
        sources.retain(|id| stage.is_device(*id));
        let mut destinations = stage.meant(&rule.destinations, which);
        destinations.retain(|id| stage.is_device(*id) || *id == stage.own);
        let recording = rule.recording.as_ref();
        let opens = Opens::Login { checks: rule.checks, users: &rule.users, recording };
        out.push(Ruling { place: Place::Line(rule.place.0), sources, destinations, opens });
        spend(&out, work)?;
    }
    for (tag, owners) in &policy.tag_owners {
        let mut sources = stage.meant(owners, which);
        sources.retain(|id| stage.is_device(*id));
        let destinations = stage.claim(tag).into_iter().collect();
        let place = Place::Owners(tag);
        out.push(Ruling { place, sources, destinations, opens: Opens::Claim });
        spend(&out, work)?;
    }
    let approvers = policy.approvers.iter().map(|(net, by)| (Some(*net), by, stage.within(net)));
    let exit = (None, &policy.exit_approvers, vec![stage.internet]);
    for (net, by, destinations) in approvers.chain([exit]) {
        let mut sources = stage.meant(by, which);
        sources.retain(|id| stage.is_device(*id));
        let place = Place::Approvers(net);
        out.push(Ruling { place, sources, destinations, opens: Opens::Route });
        spend(&out, work)?;
    }
    for attribute in &policy.attributes {
        let mut sources = stage.meant(&attribute.targets, which);
        sources.retain(|id| stage.is_device(*id));
        let (place, destinations) = (Place::Line(attribute.line), vec![stage.attributes]);
        out.push(Ruling { place, sources, destinations, opens: Opens::Attributes(attribute) });
        spend(&out, work)?;
    }
    out.retain(|ruling| !ruling.sources.is_empty() && !ruling.destinations.is_empty());
    Ok(out)
}

fn spend(out: &[Ruling], work: &mut Work) -> Result<(), TooLarge> {
    work.spend(out.last().map_or(1, |last| 1 + last.sources.len() + last.destinations.len()))
}

/// One for each list of ports.
fn acl_rulings<'a>(stage: &Stage<'a>, acl: &'a Acl, which: usize, out: &mut Vec<Ruling<'a>>) {
    let mut by_ports: BTreeMap<&[PortRange], Vec<&Alias>> = BTreeMap::new();
    for (named, ports) in &acl.destinations {
        by_ports.entry(ports).or_default().push(&named.alias);
    }
    let sources = stage.meant(acl.sources.iter().map(|named| &named.alias), which);
    for (ports, aliases) in by_ports {
        let routed = |alias: &&Alias| acl.via.is_empty() || **alias != Alias::Any;
        let mut destinations = stage.meant(aliases.into_iter().filter(routed), which);
        if !acl.via.is_empty() {
            let carried = |id: &u32| {
                let nature = stage.party(*id).map(|party| &party.nature);
                matches!(nature, Some(Nature::Network(_) | Nature::Internet))
            };
            destinations.retain(carried);
        }
        out.push(Ruling {
            place: Place::Line(acl.line),
            sources: sources.clone(),
            destinations,
            opens: Opens::Traffic(Traffic::of(&acl.protocols, ports, &acl.via)),
        });
    }
}
