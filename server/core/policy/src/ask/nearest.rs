//! What comes nearest to opening something, and what it lacks.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    ends::{End, Ends},
    explain::Wanted,
    ruling::Place,
    source::Lines,
    traffic::Traffic,
};
use crate::{
    PortRange,
    alias::Alias,
    policy::{Acl, Ssh, SshUser},
    protocol,
    source::{SourceRange, span},
};

/// Most rules that are told.
const MOST: usize = 3;

/// A rule that would open it but for something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Near {
    /// Its line, from 1.
    pub line: Option<u32>,
    /// The rule, in one line.
    pub rule: String,
    /// What it lacks: each would have to be otherwise.
    pub lacks: Vec<String>,
    /// `the rule at line 12 would open it if …`
    pub hint: String,
}

/// One thing that is missing; the earlier ones are the easier ones to mend.
#[derive(Debug, Clone)]
enum Lack {
    Port(String),
    Router(String),
    Destination(String),
    Source(String),
    User(String),
}

pub(crate) fn network(ends: &Ends, wanted: Wanted, lines: &Lines) -> Vec<Near> {
    let acls = ends.tailnet.policy.acls.iter();
    best(acls.map(|acl| (acl.line, of_acl(ends, acl, wanted))).collect(), lines)
}

pub(crate) fn login(ends: &Ends, user: &SshUser, lines: &Lines) -> Vec<Near> {
    let rules = ends.tailnet.policy.ssh.iter();
    best(rules.map(|rule| (rule.place.0, of_ssh(ends, rule, user))).collect(), lines)
}

fn best(mut found: Vec<(u32, Vec<Lack>)>, lines: &Lines) -> Vec<Near> {
    found.sort_by_key(|(line, lacks)| (lacks.len(), lacks.iter().map(Lack::rank).collect::<Vec<_>>(), *line));
    let mut told = BTreeSet::new();
    found.retain(|(line, _)| told.insert(*line));
    let nearest = found.into_iter().take(MOST).map(|(line, lacks)| {
        let (_, rule) = lines.find(Place::Line(line));
        let lacks: Vec<_> = lacks.into_iter().map(Lack::words).collect();
        let hint = format!("the rule at line {line} would open it if {}", lacks.join(" and "));
        Near { line: Some(line), rule, lacks, hint }
    });
    nearest.collect()
}

impl Lack {
    fn rank(&self) -> u8 {
        match self {
            Self::Port(_) => 0,
            Self::Router(_) => 1,
            Self::Destination(_) => 2,
            Self::Source(_) => 3,
            Self::User(_) => 4,
        }
    }

    fn words(self) -> String {
        match self {
            Self::Port(words) | Self::Router(words) | Self::Destination(words) => words,
            Self::Source(words) | Self::User(words) => words,
        }
    }
}

fn of_acl(ends: &Ends, acl: &Acl, wanted: Wanted) -> Vec<Lack> {
    let mut lacks = Vec::new();
    let sources: Vec<_> = acl.sources.iter().map(|named| &named.alias).collect();
    lacks.extend(source(ends, &sources));
    let serves = |ports: &[PortRange]| {
        Traffic::of(&acl.protocols, ports, &acl.via).holds(wanted.protocol, wanted.port)
    };
    let meant = || acl.destinations.iter().filter(|(named, _)| ends.is_to(&named.alias));
    if meant().next().is_none() {
        let fitting: Vec<_> = acl.destinations.iter().filter(|(_, ports)| serves(ports)).collect();
        let to = if fitting.is_empty() { acl.destinations.iter().collect() } else { fitting };
        let aliases: Vec<_> = to.iter().map(|(named, _)| &named.alias).collect();
        lacks.push(Lack::Destination(would(&ends.to, &aliases)));
        if to.iter().all(|(_, ports)| !serves(ports)) {
            lacks.push(Lack::Port(ports(acl, to.iter().map(|(_, ports)| ports.as_slice()), wanted)));
        }
    } else if !meant().any(|(_, ports)| serves(ports)) {
        lacks.push(Lack::Port(ports(acl, meant().map(|(_, ports)| ports.as_slice()), wanted)));
    }
    if !ends.is_by(&acl.via) {
        let tags: Vec<_> = acl.via.iter().map(ident::Tag::as_str).collect();
        lacks.push(Lack::Router(format!("a router to {} were tagged {}", ends.to.0, tags.join(" or "))));
    }
    lacks.sort_by_key(Lack::rank);
    lacks
}

fn of_ssh(ends: &Ends, rule: &Ssh, user: &SshUser) -> Vec<Lack> {
    let mut lacks = Vec::new();
    lacks.extend(source(ends, &rule.sources.iter().collect::<Vec<_>>()));
    if !rule.destinations.iter().any(|alias| ends.is_to(alias)) {
        lacks.push(Lack::Destination(would(&ends.to, &rule.destinations.iter().collect::<Vec<_>>())));
    }
    if !ends.user_fits(rule, user) {
        let users: Vec<_> = rule.users.iter().map(ToString::to_string).collect();
        lacks.push(Lack::User(format!("it let in as {user}, not only as {}", users.join(", "))));
    }
    lacks.sort_by_key(Lack::rank);
    lacks
}

fn source(ends: &Ends, aliases: &[&Alias]) -> Option<Lack> {
    let is_meant = aliases.iter().any(|alias| ends.is_from(alias));
    (!is_meant).then(|| Lack::Source(would(&ends.from, aliases)))
}

fn ports<'a>(acl: &Acl, open: impl Iterator<Item = &'a [PortRange]>, wanted: Wanted) -> String {
    let mut all = Traffic::default();
    open.for_each(|ports| all.add(&Traffic::of(&acl.protocols, ports, &[])));
    let protocol = wanted.protocol.map(|number| protocol::name(&[number]));
    let port = wanted.port.map(|port| port.to_string());
    let asked: Vec<_> = protocol.into_iter().chain(port).collect();
    format!("it opened {}, not only {all}", asked.join(" "))
}

/// What the end would have to be to be one of these.
fn would((name, end): &(String, End), aliases: &[&Alias]) -> String {
    let is_person = matches!(end, End::Device(device) if device.tags.is_empty());
    let fits = |alias: &&&Alias| match end {
        End::Device(_) if is_person => matches!(alias, Alias::User(_) | Alias::Group(_) | Alias::Member),
        End::Device(_) => matches!(alias, Alias::Tag(_) | Alias::Tagged),
        End::Network(_) => matches!(alias, Alias::Prefix(_) | Alias::Range(..) | Alias::Set(_)),
        End::Internet => matches!(alias, Alias::Internet),
    };
    let Some(alias) = aliases.iter().find(fits).or(aliases.first()) else {
        return format!("{name} were named");
    };
    match alias {
        Alias::With(_, guard) => format!("{name} were among its sources and met {guard}"),
        Alias::Tag(tag) => format!("{name} were tagged {tag}"),
        Alias::Tagged => format!("{name} had a tag"),
        Alias::User(login) => format!("{name} were a device of {login}"),
        Alias::Group(group) => format!("{name} were a device of somebody in {group}"),
        Alias::Member => format!("{name} were a person's device"),
        Alias::Domain(domain) => format!("{name} were a device of somebody at {domain}"),
        Alias::Role(role) => format!("{name} were a device of an autogroup:{role}"),
        Alias::Own => format!("{name} belonged to the same person"),
        Alias::Internet => format!("{name} were the internet behind an exit node"),
        Alias::Prefix(net) => format!("{name} were in {}", SourceRange::Prefix(*net)),
        Alias::Range(first, last) => format!("{name} were in {}", SourceRange::Span(*first, *last)),
        Alias::Set(nets) => {
            let spans: Vec<_> = nets.iter().map(span::of).collect();
            let nets: Vec<_> = span::nets(&spans).iter().take(3).map(ToString::to_string).collect();
            format!("{name} were in {}", nets.join(" or "))
        }
        Alias::Service(service) => format!("{name} were the service svc:{service}"),
        Alias::Shared => format!("{name} were shared from another tailnet"),
        Alias::Any | Alias::Anywhere => format!("{name} were in the mesh"),
    }
}
