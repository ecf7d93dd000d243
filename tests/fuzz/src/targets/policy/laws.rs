//! What must hold for every policy.

use std::collections::BTreeSet;

use ipnet::IpNet;
use policy::{Compiled, Device, Document, Policy, PolicyErrors, Roster, Subject, View};

use crate::targets::law;

/// Every mistake has a place inside the text, in the order of the text, and says something.
pub(super) fn errors(text: &str, errors: &PolicyErrors) -> Result<(), String> {
    let count = errors.iter().count();
    law((1..=100).contains(&count), || format!("{count} mistakes"))?;
    let lines: Vec<&str> = text.split('\n').collect();
    let mut last = (0, 0);
    for error in errors.iter() {
        let line = lines.get((error.line as usize).wrapping_sub(1));
        let inside =
            line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&(error.column as usize)));
        law(inside, || format!("{error} is outside of the text"))?;
        law((error.line, error.column) >= last, || format!("{error} is out of order"))?;
        law((1..=301).contains(&error.message.chars().count()), || {
            format!("{error} says too little or too much")
        })?;
        last = (error.line, error.column);
    }
    Ok(())
}

/// The compiled rules answer without contradicting themselves.
pub(super) fn served(
    policy: &Policy,
    compiled: &Compiled,
    roster: &Roster,
) -> Result<(usize, usize), String> {
    let again =
        Policy::parse(policy.text()).map_err(|errors| format!("is refused the second time: {errors}"))?;
    law(format!("{compiled:?}") == format!("{:?}", Compiled::compile(&again)), || {
        "compiles to another".to_owned()
    })?;
    let subjects: Vec<_> = roster.devices.iter().map(|device| subject(device, roster)).collect();
    let signatures: Vec<_> = subjects.iter().map(|subject| compiled.signature(subject)).collect();
    let mut seen = 0;
    for (at, a) in signatures.iter().enumerate() {
        for (rule, _) in compiled.rules().iter().enumerate() {
            let opened = compiled.destinations(rule, &subjects[at]);
            law(opened.is_empty() != compiled.is_destination(a, rule), || {
                format!("rule {rule} opens {opened:?}")
            })?;
        }
        for b in &signatures {
            law(compiled.sees(a, b) == compiled.sees(b, a), || {
                "one sees the other, not the other way".to_owned()
            })?;
            seen += usize::from(compiled.sees(a, b));
        }
    }
    for tag in policy.tags() {
        let (access, reach) =
            (compiled.opens(std::slice::from_ref(tag)), compiled.reach(std::slice::from_ref(tag)));
        law(access.as_source.is_empty() == reach.reaches.is_empty(), || {
            format!("{tag} reaches {:?}", reach.reaches)
        })?;
    }
    Ok((compiled.rules().len().min(8), seen.min(8)))
}

fn subject<'a>(device: &'a Device, roster: &'a Roster) -> Subject<'a> {
    let login = device.owner.and_then(|at| roster.people.get(at)).map(|person| person.email.as_str());
    Subject { tags: &device.tags, login, v4: device.v4, v6: device.v6, routes: &device.routes, traits: None }
}

/// What nodes are told is about them, and nobody is told of networks that are not there.
pub(super) fn answered(document: &Document, roster: &Roster) -> Result<(usize, usize), String> {
    let Ok(views) = document.answer(roster) else { return Ok((0, 99)) };
    law(views.len() == roster.devices.len(), || "somebody is left out".to_owned())?;
    for device in &roster.devices {
        let Some(view) = views.get(&device.name) else { return Err(format!("{} is left out", device.name)) };
        law(!view.peers.contains_key(&device.name), || format!("{} is its own peer", device.name))?;
        about(device, view)?;
        for (name, peer) in &view.peers {
            let known = roster.devices.iter().find(|other| other.name == *name);
            let own = known.map(belongings).unwrap_or_default();
            law(peer.allowed_ips.is_subset(&own), || format!("{name} is given {:?}", peer.allowed_ips))?;
            law(peer.primary_routes.is_subset(&peer.allowed_ips), || {
                format!("{name}: {:?}", peer.primary_routes)
            })?;
        }
        serde_json::to_string(view).map_err(|error| error.to_string())?;
    }
    let peers: usize = views.values().map(|view| view.peers.len()).sum();
    let rules: usize = views.values().map(|view| view.filter.len() + view.ssh.len()).sum();
    Ok((peers.min(16), rules.min(16)))
}

fn about(device: &Device, view: &View) -> Result<(), String> {
    let own = addresses(device);
    for rule in &view.filter {
        law(!rule.src_ips.is_empty(), || format!("{}: a rule without sources", device.name))?;
        law(rule.dst_ports.is_empty() != rule.cap_grant.is_empty(), || format!("{}: {rule:?}", device.name))?;
        let granted = rule.cap_grant.iter().flat_map(|grant| &grant.dsts);
        let foreign = granted.filter(|net| !own.contains(net)).count();
        law(foreign == 0, || format!("{} is granted others' addresses: {rule:?}", device.name))?;
    }
    law(view.own.allowed_ips.is_subset(&belongings(device)), || {
        format!("{} owns {:?}", device.name, view.own.allowed_ips)
    })
}

fn addresses(device: &Device) -> BTreeSet<IpNet> {
    [IpNet::from(std::net::IpAddr::from(device.v4)), IpNet::from(std::net::IpAddr::from(device.v6))].into()
}

fn belongings(device: &Device) -> BTreeSet<IpNet> {
    addresses(device).into_iter().chain(device.routes.iter().copied()).collect()
}
