//! `ipsets`: networks under one name.

use std::{collections::BTreeMap, sync::Arc};

use ipnet::IpNet;
use jsonc_parser::{ast::Value, common::Ranged};

use crate::{
    alias::{Alias, Mistake, Names, Side, mistake},
    parse::hujson::Report,
    source::span,
};

/// Most networks of a set.
const MOST: usize = 10_000;

/// Networks by name (without `ipset:`), at most 10,000 in each. A set may add and remove what stands above it: `add 10.0.0.0/8`,
/// `remove 10.1.0.0/16`, `ipset:other`, a host or an address; without a word it adds.
pub(crate) fn read(value: &Value, names: &Names, report: &mut Report) -> BTreeMap<String, Arc<[IpNet]>> {
    let mut sets = BTreeMap::new();
    for member in report.members(value, "ipsets") {
        let text = member.name.as_str();
        let Some(name) = text.strip_prefix("ipset:").filter(|name| !name.is_empty()) else {
            let hint = Some("a set is written ipset:name".to_owned());
            report.say(member.start(), format!("ipsets[{text:?}]: not a set's name"), hint);
            continue;
        };
        let mut spans = Vec::new();
        for (at, text) in report.texts(&member.value, &format!("ipsets[{text:?}]")) {
            if let Err(wrong) = include(text, names, &sets, &mut spans) {
                report.say(at, format!("ipsets[{:?}]: {}", member.name.as_str(), wrong.message), wrong.hint);
            }
            if spans.len() > MOST {
                break;
            }
        }
        let nets = if spans.len() > MOST { Vec::new() } else { span::nets(&spans) };
        if spans.len() > MOST || nets.len() > MOST {
            report.say(member.start(), format!("ipsets[{text:?}]: a set has at most {MOST} networks"), None);
        }
        sets.insert(name.to_owned(), nets.into());
    }
    sets
}

fn include(
    text: &str,
    names: &Names,
    sets: &BTreeMap<String, Arc<[IpNet]>>,
    spans: &mut Vec<span::Span>,
) -> Result<(), Mistake> {
    let text = text.trim();
    let (removes, what) = match text.split_once(' ') {
        Some(("remove", what)) => (true, what.trim()),
        Some(("add", what)) => (false, what.trim()),
        _ => (false, text),
    };
    let what = what.strip_prefix("host:").unwrap_or(what);
    let named: Vec<span::Span> = if let Some(other) = what.strip_prefix("ipset:") {
        let nets = sets.get(other).ok_or_else(|| {
            mistake(format!("ipset not found: {what:?}"), "a set can use the sets that stand above it")
        })?;
        nets.iter().map(span::of).collect()
    } else {
        match Alias::parse(what, Side::Source, names)? {
            Alias::Prefix(net) => vec![span::of(&net)],
            Alias::Range(first, last) => vec![(first, last)],
            _ => return Err(mistake(format!("{what:?} is no address"), "a set holds addresses and hosts")),
        }
    };
    if removes {
        *spans = span::without(spans, &named);
    } else {
        spans.extend(named);
    }
    Ok(())
}
