//! `grants`: what sources may reach at the network, and what they may do in applications.

use std::collections::BTreeMap;

use ident::Tag;
use jsonc_parser::{
    ast::{Object, Value},
    common::Ranged,
};

use crate::{
    MAX_RULES, PortRange,
    alias::{Alias, Mistake, Named, Names, Side, mistake},
    compiled::IN_TURN,
    parse::{
        acls::{OWN, may_own},
        hujson::Report,
        json,
        tailnet::postures,
    },
    policy::{Acl, App, Content, TOO_MUCH},
    protocol,
};

const KEYS: [&str; 6] = ["src", "dst", "ip", "app", "via", "srcPosture"];

/// Applications of the reference itself that a policy may grant capabilities of.
const OF_TAILSCALE: [&str; 6] = ["drive", "relay", "webui", "kubernetes", "tsidp", "secrets"];

type Openings = Vec<(Vec<i32>, Vec<PortRange>)>;

/// Adds the grants to the rules that stand in the content already.
pub(crate) fn read(value: &Value, names: &Names, content: &mut Content, report: &mut Report) {
    let Value::Array(list) = value else {
        return report.say(value.start(), "grants must be a list of grants", None);
    };
    if list.elements.len() > MAX_RULES {
        return report.say(value.start(), format!("a policy has at most {MAX_RULES} rules"), None);
    }
    for element in &list.elements {
        match element {
            Value::Object(object) => grant(object, names, content, report),
            other => report.say(other.start(), "a grant is an object with src, dst and ip or app", None),
        }
    }
}

fn grant(object: &Object, names: &Names, content: &mut Content, report: &mut Report) {
    let fields = report.fields(object, &KEYS, "a grant");
    let field = |name| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let ip = field("ip").map(|value| openings(value, report)).unwrap_or_default();
    let caps = field("app").map(|value| caps(value, report)).unwrap_or_default();
    let lists_ports = matches!(field("ip"), Some(Value::Array(list)) if !list.elements.is_empty());
    if !lists_ports && caps.is_empty() {
        report.say(object.start(), "ip and app can not both be empty", None);
    }
    let mut sources = aliases(object, "src", field("src"), names, report);
    let destinations = aliases(object, "dst", field("dst"), names, report);
    together(object, &sources, &destinations, !caps.is_empty(), report);
    if let Some(guard) = postures::guard(field("srcPosture"), names, report) {
        sources = postures::guarded(sources, &guard);
    }
    let via = field("via").map(|value| routers(value, names, report)).unwrap_or_default();
    let line = report.place(object.start()).0;
    let weight = |named: &Named| named.alias.weight();
    let (from, to): (usize, usize) =
        (sources.iter().map(weight).sum(), destinations.iter().map(weight).sum());
    let of_ports: usize = ip.iter().map(|(_, ports)| from + to * ports.len()).sum();
    if !content.has_room(of_ports + (1 + IN_TURN.len()) * (from + to) * usize::from(!caps.is_empty())) {
        return report.say(object.start(), TOO_MUCH, None);
    }
    for (protocols, ports) in ip {
        let destinations = destinations.iter().map(|named| (named.clone(), ports.clone())).collect();
        content.acls.push(Acl { line, protocols, sources: sources.clone(), destinations, via: via.clone() });
    }
    if !caps.is_empty() {
        let alias = |named: &Named| named.alias.clone();
        let texts = |side: &[Named]| side.iter().map(|named| named.text.clone()).collect();
        content.apps.push(App {
            line,
            sources: sources.iter().map(alias).collect(),
            destinations: destinations.iter().map(alias).collect(),
            source_texts: texts(&sources),
            destination_texts: texts(&destinations),
            caps,
        });
    }
}

fn together(object: &Object, from: &[Named], to: &[Named], grants_app: bool, report: &mut Report) {
    if to.iter().any(|named| named.alias == Alias::Own) && !from.iter().all(|named| may_own(&named.alias)) {
        report.say(object.start(), OWN, None);
    }
    if grants_app && to.iter().any(|named| named.alias == Alias::Internet) {
        report.say(object.start(), "cannot use app grants with autogroup:internet", None);
    }
    for named in to {
        if matches!(named.alias, Alias::Prefix(net) if net.prefix_len() == 0) {
            let what = format!(
                "dst {:?}: to allow all IP addresses, use \"*\" or \"autogroup:internet\"",
                named.text
            );
            report.say(object.start(), what, None);
        }
    }
}

fn aliases(
    object: &Object,
    key: &str,
    value: Option<&Value>,
    names: &Names,
    report: &mut Report,
) -> Vec<Named> {
    let Some(value) = value else {
        report.say(object.start(), format!("a grant needs {key}"), None);
        return Vec::new();
    };
    let side = if key == "src" { Side::Source } else { Side::Destination };
    let mut found = Vec::new();
    for (at, text) in report.texts(value, key) {
        match Alias::parse(text, side, names) {
            Ok(alias) => found.push(Named { alias, text: text.to_owned() }),
            Err(Mistake { message, hint }) => report.say(at, format!("{key}={message}"), hint),
        }
    }
    found
}

/// `*`, `22`, `80-443`, `tcp:443`, `icmp:*`; those of one protocol together.
fn openings(value: &Value, report: &mut Report) -> Openings {
    let mut found: Openings = Vec::new();
    for (at, text) in report.texts(value, "ip") {
        let (protocols, ports) = match opening(text) {
            Ok(opening) => opening,
            Err(wrong) => {
                report.mistake(at, wrong);
                continue;
            }
        };
        match found.iter_mut().find(|(known, _)| *known == protocols) {
            Some((_, known)) => known.extend(ports),
            None => found.push((protocols, ports)),
        }
    }
    found
}

fn opening(text: &str) -> Result<(Vec<i32>, Vec<PortRange>), Mistake> {
    let hint = "write *, 22, 80-443, tcp:443 or icmp:*";
    let (protocols, ports) = match text.trim().split_once(':') {
        None => (Vec::new(), text.trim()),
        Some((_, ports)) if ports.contains(':') => {
            let what = "expected only one colon in Internet protocol and port type";
            return Err(mistake(format!("ip={text:?}: {what}"), hint));
        }
        Some((name, ports)) => {
            let number =
                protocol::parse(name).map_err(|what| mistake(format!("ip={text:?}: {what}"), hint))?;
            (vec![number], ports)
        }
    };
    let found = PortRange::parse_list(ports).map_err(|what| mistake(format!("ip={text:?}: {what}"), hint))?;
    let portless = protocols.iter().any(|number| !protocol::has_ports(*number));
    if portless && found != [PortRange::ALL] {
        return Err(mistake(format!("ip={text:?}: the protocol has no ports"), "write * for the ports"));
    }
    Ok((protocols, found))
}

fn caps(value: &Value, report: &mut Report) -> BTreeMap<String, serde_json::Value> {
    let mut caps = BTreeMap::new();
    for member in report.members(value, "app") {
        let name = member.name.as_str();
        if let Err(what) = cap_name(name) {
            report.say(member.start(), format!("app {name:?}: {what}"), None);
        }
        report.as_it_stands(member.start(), "app", name);
        caps.insert(name.to_owned(), json::plain(&member.value));
    }
    caps
}

fn cap_name(name: &str) -> Result<(), &'static str> {
    let form = "capability name must have the form {domain}/{path}";
    let (domain, path) = name.split_once('/').ok_or(form)?;
    if domain.is_empty() || path.is_empty() || domain.contains(':') || !domain.contains('.') {
        return Err(form);
    }
    let is_of_tailscale = domain == "tailscale.com" || domain.ends_with(".tailscale.com");
    let is_known = path.strip_prefix("cap/").is_some_and(|app| OF_TAILSCALE.contains(&app));
    if is_of_tailscale && !is_known {
        return Err("capability name must not be in the tailscale.com domain");
    }
    Ok(())
}

fn routers(value: &Value, names: &Names, report: &mut Report) -> Vec<Tag> {
    let mut tags = Vec::new();
    for (at, text) in report.texts(value, "via") {
        match Alias::parse(text, Side::Source, names) {
            Ok(Alias::Tag(tag)) => tags.push(tag),
            Err(Mistake { hint, .. }) if text.trim().starts_with("tag:") => {
                report.say(at, format!("via: tag {:?} not found", text.trim()), hint);
            }
            _ => report.say(at, format!("via={text:?}: via can only be a tag"), None),
        }
    }
    tags
}
