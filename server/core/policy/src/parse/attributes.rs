//! `nodeAttrs`: what nodes are told to be.

use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net};
use jsonc_parser::{
    ast::{Object, Value},
    common::Ranged,
};

use crate::{
    alias::{Alias, Mistake, Names, Side, mistake, network},
    compiled::{NEXTDNS, says_something_to_nextdns},
    parse::{hujson::Report, json},
    policy::Attribute,
};

const KEYS: [&str; 4] = ["target", "attr", "app", "ipPool"];
const NEXTDNS_HINT: &str = "a profile is the short id in the URL that NextDNS shows, such as nextdns:abc123";

/// The attributes in their order.
pub(crate) fn read(value: &Value, names: &Names, report: &mut Report) -> Vec<Attribute> {
    let Value::Array(list) = value else {
        report.say(value.start(), "nodeAttrs must be a list", None);
        return Vec::new();
    };
    let mut found = Vec::new();
    for element in &list.elements {
        match element {
            Value::Object(object) => found.push(attribute(object, names, report)),
            other => report.say(other.start(), "an entry of nodeAttrs has target and attr", None),
        }
    }
    found
}

fn attribute(object: &Object, names: &Names, report: &mut Report) -> Attribute {
    let fields = report.fields(object, &KEYS, "nodeAttrs");
    let field = |name| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let mut targets = Vec::new();
    for (at, text) in field("target").map(|value| report.texts(value, "target")).unwrap_or_default() {
        match Alias::parse(text, Side::Source, names) {
            Ok(Alias::Anywhere) => {
                let what = format!("target={text:?}: nodeAttrs target does not support this autogroup");
                report.say(at, what, Some("write * for every device".to_owned()));
            }
            Ok(alias) => targets.push(alias),
            Err(Mistake { message, hint }) => report.say(at, format!("target={message}"), hint),
        }
    }
    let mut pools = Vec::new();
    let names = field("attr").map(|value| report.texts(value, "attr")).unwrap_or_default();
    for (at, text) in &names {
        report.as_it_stands(*at, "attr", text);
        if text.strip_prefix(NEXTDNS).is_some_and(|what| !says_something_to_nextdns(what)) {
            report.cannot_serve(*at, format!("attr {text:?} names no profile of NextDNS"), NEXTDNS_HINT);
        }
    }
    for (at, text) in field("ipPool").map(|value| report.texts(value, "ipPool")).unwrap_or_default() {
        match pool(text) {
            Ok(pool) => pools.push(pool),
            Err(Mistake { message, hint }) => report.say(at, format!("ipPool={message}"), hint),
        }
    }
    let mut apps = BTreeMap::new();
    for member in field("app").map(|value| report.members(value, "app")).unwrap_or_default() {
        report.as_it_stands(member.start(), "app", member.name.as_str());
        apps.insert(member.name.as_str().to_owned(), json::plain(&member.value));
    }
    let line = report.place(object.start()).0;
    Attribute {
        line,
        targets,
        names: names.into_iter().map(|(_, text)| text.to_owned()).collect(),
        apps,
        pools,
    }
}

/// Addresses of nodes lie in one range, which clients know.
fn pool(text: &str) -> Result<Ipv4Net, Mistake> {
    let mesh = Ipv4Net::new_assert(std::net::Ipv4Addr::new(100, 64, 0, 0), 10);
    match network(text)? {
        IpNet::V4(pool) if mesh.contains(&pool) => Ok(pool),
        _ => Err(mistake(
            format!("{text:?} is outside of {mesh}"),
            "nodes have their addresses in 100.64.0.0/10",
        )),
    }
}
