//! Rules of `acls` and `grants` in one row, each told to the index.

use std::{collections::BTreeMap, net::IpAddr, ops::Range};

use ident::Tag;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde_json::Value;

use crate::{
    PortRange, SourceRange, SourceSet, Target,
    alias::Alias,
    compiled::index::{Index, Marks},
    policy::{Acl, App, Content},
    source::{self, span},
    subject::is_exit,
};

/// Capabilities of one side of a connection that the reference gives to the other side in turn.
pub(crate) const IN_TURN: [(&str, &str); 2] = [
    ("tailscale.com/cap/drive", "tailscale.com/cap/drive-sharer"),
    ("tailscale.com/cap/relay", "tailscale.com/cap/relay-target"),
];

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// A name for it in `PacketFilters`: `r` and its number.
    pub key: String,
    /// IP protocol numbers; empty means those a client allows without being told (TCP, UDP, ICMP, ICMPv6).
    pub protocols: Vec<i32>,
    /// What sources may do in applications of the destinations, by capability; none for a rule of ports.
    pub caps: Option<BTreeMap<String, Vec<Value>>>,
    pub(crate) line: u32,
    pub(crate) literals: SourceSet,
    /// Numbers of its destinations, counted through all rules.
    pub(crate) entries: Range<usize>,
    /// Tags of the routers that may carry it; empty is any.
    pub(crate) via: Vec<Tag>,
    /// Whether it has another destination than `autogroup:self`, so that it matters who all its sources are.
    pub(crate) opens_to_others: bool,
    pub(crate) has_source: bool,
    pub(crate) has_destination: bool,
    /// What it says in the policy's own words.
    pub(crate) words: Words,
}

/// The two sides of a rule as the policy writes them, without what no device can match.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words {
    pub(crate) sources: Vec<String>,
    /// With their ports; a capability has none.
    pub(crate) destinations: Vec<(String, Vec<PortRange>)>,
}

/// A destination of a rule.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// None is `autogroup:self`.
    pub(crate) what: Option<Target>,
    pub(crate) ports: Vec<PortRange>,
}

/// What a rule is made of.
struct Line<'c> {
    line: u32,
    sources: Vec<&'c Alias>,
    destinations: Vec<(&'c Alias, &'c [PortRange])>,
    protocols: &'c [i32],
    via: &'c [Tag],
    caps: Option<BTreeMap<String, Vec<Value>>>,
    /// Whether it gives something back for another rule, and so opens no way of its own.
    in_turn: bool,
    words: Words,
}

/// Compiles the rules of a policy: those of ports, then those of applications.
pub(crate) fn compile(content: &Content) -> (Vec<Rule>, Vec<Entry>, Index) {
    let (mut index, mut entries) = (Index::new(content), Vec::new());
    let networks = content.acls.iter().map(|acl| of_network(acl, content));
    let lines = networks.chain(content.apps.iter().flat_map(|app| of_application(app, content)));
    let mut rules = Vec::new();
    for line in lines {
        rules.push(rule(rules.len(), line, content, &mut index, &mut entries));
    }
    index.entry_count = entries.len();
    (rules, entries, index)
}

fn of_network<'c>(acl: &'c Acl, content: &Content) -> Line<'c> {
    let can_match = |alias: &Alias| content.can_match(alias);
    let sources = acl.sources.iter().filter(|named| can_match(&named.alias));
    let destinations = acl.destinations.iter().filter(|(named, _)| can_match(&named.alias));
    let words = Words {
        sources: sources.map(|named| named.text.clone()).collect(),
        destinations: destinations.map(|(named, ports)| (named.text.clone(), ports.clone())).collect(),
    };
    Line {
        line: acl.line,
        sources: acl.sources.iter().map(|named| &named.alias).collect(),
        destinations: acl
            .destinations
            .iter()
            .map(|(named, ports)| (&named.alias, ports.as_slice()))
            .collect(),
        protocols: &acl.protocols,
        via: &acl.via,
        caps: None,
        in_turn: false,
        words,
    }
}

/// The rule itself, and what the other side is given in turn; among the devices of one person both sides are the same.
fn of_application<'c>(app: &'c App, content: &Content) -> Vec<Line<'c>> {
    let caps = app.caps.iter().map(|(name, value)| (name.clone(), parameters(value))).collect();
    let mut lines = vec![grant(app, content, false, caps)];
    for (_, in_turn) in IN_TURN.iter().filter(|(cap, _)| app.caps.contains_key(*cap)) {
        let backwards = !app.destinations.contains(&Alias::Own);
        let caps = BTreeMap::from([((*in_turn).to_owned(), Vec::new())]);
        lines.push(Line { in_turn: true, ..grant(app, content, backwards, caps) });
    }
    lines
}

fn grant<'c>(
    app: &'c App,
    content: &Content,
    backwards: bool,
    caps: BTreeMap<String, Vec<Value>>,
) -> Line<'c> {
    let (mut from, mut to) = ((&app.sources, &app.source_texts), (&app.destinations, &app.destination_texts));
    if backwards {
        std::mem::swap(&mut from, &mut to);
    }
    let texts = |(aliases, texts): (&[Alias], &[String])| -> Vec<String> {
        let known = aliases.iter().zip(texts).filter(|(alias, _)| content.can_match(alias));
        known.map(|(_, text)| text.clone()).collect()
    };
    let destinations = texts((to.0, to.1)).into_iter().map(|text| (text, Vec::new())).collect();
    Line {
        line: app.line,
        sources: from.0.iter().collect(),
        destinations: to.0.iter().map(|alias| (alias, [].as_slice())).collect(),
        protocols: &[],
        via: &[],
        words: Words { sources: texts((from.0, from.1)), destinations },
        caps: Some(caps),
        in_turn: false,
    }
}

fn parameters(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(list) => list.clone(),
        other => vec![other.clone()],
    }
}

fn rule(number: usize, line: Line, content: &Content, index: &mut Index, entries: &mut Vec<Entry>) -> Rule {
    let mut literals = SourceSet::default();
    for alias in &line.sources {
        index.mark(alias, |marks| marks.source.insert(number));
        literals.approved_routes |= **alias == Alias::Any;
        literals.ranges.extend(fixed(alias));
    }
    literals.ranges.sort();
    literals.ranges.dedup();
    let first = entries.len();
    for (alias, ports) in &line.destinations {
        for what in opened_by(alias) {
            tell(index, number, entries.len(), alias, what, &line);
            entries.push(Entry { what, ports: ports.to_vec() });
        }
    }
    for tag in line.via {
        index.carry(tag, number, first..entries.len());
    }
    let opens_to_others = entries[first..].iter().any(|entry| entry.what.is_some());
    let some = |mut aliases: std::slice::Iter<&Alias>| aliases.any(|alias| content.can_match(alias));
    Rule {
        key: format!("r{number:04}"),
        protocols: line.protocols.to_vec(),
        has_source: some(line.sources.iter()),
        has_destination: line.destinations.iter().any(|(alias, _)| content.can_match(alias)),
        caps: line.caps,
        line: line.line,
        literals,
        entries: first..entries.len(),
        opens_to_others,
        via: line.via.to_vec(),
        words: line.words,
    }
}

/// Notes one destination of a rule.
fn tell(index: &mut Index, rule: usize, entry: usize, alias: &Alias, what: Option<Target>, line: &Line) {
    let by_router = !line.via.is_empty();
    let Some(what) = what else {
        // Nobody's own devices are behind a router.
        if !by_router {
            index.own.insert(rule);
        }
        return;
    };
    let insert = |marks: &mut Marks| {
        let (rules, entries) = match by_router {
            true => (&mut marks.routed, &mut marks.routed_entries),
            false => (&mut marks.destination, &mut marks.entries),
        };
        rules.insert(rule);
        entries.insert(entry);
    };
    match what {
        Target::Prefix(net) => insert(index.prefixes.entry(net)),
        _ => index.mark(alias, insert),
    }
    if !line.in_turn {
        for family in families(what) {
            let exits = if by_router { &mut index.exits_via } else { &mut index.exits };
            exits[family].insert(rule);
        }
    }
}

/// What the alias means as a destination; several for a set, nothing for what does not exist here.
fn opened_by(alias: &Alias) -> Vec<Option<Target>> {
    match alias {
        Alias::Own => vec![None],
        Alias::Any => vec![Some(Target::Everything)],
        Alias::Internet => vec![Some(Target::Internet)],
        Alias::Range(first, last) => vec![Some(Target::Range(*first, *last))],
        Alias::Prefix(_) | Alias::Set(_) | Alias::Anywhere => {
            networks(alias).into_iter().map(|net| Some(Target::Prefix(net))).collect()
        }
        Alias::User(_) | Alias::Domain(_) | Alias::Group(_) | Alias::Tag(_) => {
            vec![Some(Target::SelfAddresses)]
        }
        Alias::Member | Alias::Tagged | Alias::With(..) => vec![Some(Target::SelfAddresses)],
        Alias::Role(_) | Alias::Shared | Alias::Service(_) => Vec::new(),
    }
}

/// Addresses that the alias names itself, as a filter writes them.
fn fixed(alias: &Alias) -> Vec<SourceRange> {
    match alias {
        Alias::Any => source::everyone().to_vec(),
        Alias::Range(first, last) => vec![SourceRange::Span(*first, *last)],
        _ => networks(alias).into_iter().map(SourceRange::Prefix).collect(),
    }
}

/// The prefixes that an alias by address stands for; none for one by who a node is.
pub(crate) fn networks(alias: &Alias) -> Vec<IpNet> {
    match alias {
        Alias::Prefix(net) => vec![*net],
        Alias::Range(first, last) => span::nets(&[(*first, *last)]),
        Alias::Set(nets) => nets.to_vec(),
        Alias::Anywhere => vec![Ipv4Net::default().into(), Ipv6Net::default().into()],
        _ => Vec::new(),
    }
}

/// The families, 0 for IPv4 and 1 for IPv6, whose exit route the destination is about: all of a family, or the internet.
fn families(what: Target) -> Vec<usize> {
    let whole = |first: IpAddr, last: IpAddr| {
        let all = if first.is_ipv4() { Ipv4Net::default().into() } else { IpNet::from(Ipv6Net::default()) };
        (first, last) == span::of(&all)
    };
    match what {
        Target::Everything | Target::Internet => vec![0, 1],
        Target::Prefix(net) if is_exit(&net) => vec![family(&net)],
        Target::Range(first, last) if whole(first, last) => vec![family(&first.into())],
        Target::Prefix(_) | Target::Range(..) | Target::SelfAddresses => Vec::new(),
    }
}

/// 0 for IPv4, 1 for IPv6.
pub(crate) fn family(net: &IpNet) -> usize {
    matches!(net, IpNet::V6(_)).into()
}
