//! Who is asked for which names, and names beside those of nodes.

mod guard;

use std::{collections::BTreeSet, net::IpAddr};

use super::{Decision, name};
use crate::{
    Answer, Dns, DnsEdit, DnsSettings, DurableEvent, Nameserver, Records, Refusal, World, is_within,
};

pub use guard::{Bootstrap, dangers};

const MOST_SERVERS: usize = 16;
const MOST_SUFFIXES: usize = 256;
const MOST_SEARCHED: usize = 32;
const MOST_ADDRESSES: usize = 16;
const MOST_RECORDS: usize = 1000;
const MOST_WATCHED: usize = 5000;

pub(super) fn edit(
    world: &World,
    edit: &DnsEdit,
    bootstrap: &[Bootstrap],
    force: bool,
) -> Result<Decision, Refusal> {
    let settings = edited(world, edit)?;
    if settings == world.dns.settings {
        return Ok(Decision::nothing(Answer::Done));
    }
    let next = Dns { settings: settings.clone(), ..(*world.dns).clone() };
    let despite = allowed(world, &next, bootstrap, force)?;
    Ok(Decision::one(DurableEvent::DnsSet { settings, despite }, Answer::Done))
}

pub(super) fn set_record(
    world: &World,
    name: &str,
    addresses: &BTreeSet<IpAddr>,
    bootstrap: &[Bootstrap],
    force: bool,
) -> Result<Decision, Refusal> {
    let name = record_name(world, name)?;
    check_addresses(addresses)?;
    if world.dns.records.get(&name) == Some(addresses) {
        return Ok(Decision::nothing(Answer::Done));
    }
    let mut next = (*world.dns).clone();
    next.records.insert(name.clone(), addresses.clone());
    at_most("records", next.records.len(), MOST_RECORDS, "at most 1000")?;
    let despite = allowed(world, &next, bootstrap, force)?;
    let event = DurableEvent::DnsRecordSet { name, addresses: addresses.clone(), despite };
    Ok(Decision::one(event, Answer::Done))
}

pub(super) fn delete_record(world: &World, name: &str) -> Result<Decision, Refusal> {
    let full = whole_name(world, name)?;
    if !world.dns.records.contains_key(&full) {
        return Err(Refusal::NotFound { noun: "record", name: full });
    }
    Ok(Decision::one(DurableEvent::DnsRecordDeleted { name: full }, Answer::Done))
}

/// All of them or none.
pub(super) fn read_records(
    world: &World,
    records: &Records,
    bootstrap: &[Bootstrap],
) -> Result<Decision, Refusal> {
    at_most("records of the file", records.len(), MOST_WATCHED, "at most 5000")?;
    let mut watched = Records::new();
    for (name, addresses) in records {
        watched.entry(record_name(world, name)?).or_default().extend(addresses);
    }
    watched.values().try_for_each(check_addresses)?;
    if watched == world.dns.watched {
        return Ok(Decision::nothing(Answer::Done));
    }
    let next = Dns { watched: watched.clone(), ..(*world.dns).clone() };
    allowed(world, &next, bootstrap, false)?;
    Ok(Decision::one(DurableEvent::DnsRecordsRead { records: watched }, Answer::Done))
}

/// Refuses what endangers a name that was not in the same danger before; what was overridden, when it is forced.
fn allowed(world: &World, next: &Dns, bootstrap: &[Bootstrap], force: bool) -> Result<Vec<String>, Refusal> {
    let before = dangers(world, &world.dns, bootstrap);
    let mut dangers = dangers(world, next, bootstrap);
    dangers.retain(|danger| !before.contains(danger));
    if dangers.is_empty() || force { Ok(dangers) } else { Err(Refusal::DnsTrap { dangers }) }
}

fn edited(world: &World, edit: &DnsEdit) -> Result<DnsSettings, Refusal> {
    let mut settings = world.dns.settings.clone();
    settings.magic = edit.magic.unwrap_or(settings.magic);
    settings.override_local = edit.override_local.unwrap_or(settings.override_local);
    if let Some(resolvers) = &edit.resolvers {
        settings.resolvers = servers(resolvers)?;
    }
    for (suffix, nameservers) in &edit.split {
        let suffix = name::domain("DNS suffix", suffix)?;
        if is_within(&suffix, &world.settings.domain) {
            let rule = "a suffix that is not the tailnet's own domain, for which clients answer themselves";
            return Err(Refusal::OutOfRange { what: "split", rule });
        }
        match servers(nameservers)? {
            none if none.is_empty() => _ = settings.split.remove(&suffix),
            some => _ = settings.split.insert(suffix, some),
        }
    }
    at_most("split", settings.split.len(), MOST_SUFFIXES, "at most 256 suffixes")?;
    if let Some(search) = &edit.search {
        settings.search.clear();
        for domain in search {
            let domain = name::domain("search domain", domain)?;
            if !settings.search.contains(&domain) {
                settings.search.push(domain);
            }
        }
        at_most("search domains", settings.search.len(), MOST_SEARCHED, "at most 32")?;
    }
    Ok(settings)
}

/// Each once, in the order given.
fn servers(given: &[Nameserver]) -> Result<Vec<Nameserver>, Refusal> {
    let mut servers: Vec<Nameserver> = Vec::new();
    for server in given.iter().take(MOST_SERVERS * 2) {
        if !servers.contains(server) {
            servers.push(server.clone());
        }
    }
    at_most("nameservers", given.len(), MOST_SERVERS, "at most 16 for a name")?;
    Ok(servers)
}

fn at_most(what: &'static str, found: usize, most: usize, rule: &'static str) -> Result<(), Refusal> {
    if found > most { Err(Refusal::OutOfRange { what, rule }) } else { Ok(()) }
}

fn check_addresses(addresses: &BTreeSet<IpAddr>) -> Result<(), Refusal> {
    let none = addresses.is_empty() || addresses.iter().any(|a| a.is_unspecified() || a.is_multicast());
    if none || addresses.len() > MOST_ADDRESSES {
        return Err(Refusal::OutOfRange { what: "addresses", rule: "1 to 16 addresses of hosts" });
    }
    Ok(())
}

/// The whole name, unless a node has it.
fn record_name(world: &World, name: &str) -> Result<String, Refusal> {
    let full = whole_name(world, name)?;
    let label = full.strip_suffix(&world.settings.domain).and_then(|label| label.strip_suffix('.'));
    if label.is_some_and(|label| world.nodes.by_name(label).is_some()) {
        return Err(Refusal::Exists { noun: "node", name: full });
    }
    Ok(full)
}

fn whole_name(world: &World, name: &str) -> Result<String, Refusal> {
    let name = name::domain("record", name)?;
    if name.contains('.') {
        return Ok(name);
    }
    name::domain("record", &format!("{name}.{}", world.settings.domain))
}
