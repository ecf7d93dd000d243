//! `tests` and `sshTests`: what a policy claims of itself.

use jsonc_parser::{
    ast::{Object, Value},
    common::Ranged,
};

use crate::{
    alias::{Alias, Names, Side},
    parse::{acls, hujson::Report, tailnet::postures},
    policy::{Aim, LoginTrial, Trial, Tried},
    protocol,
};

/// `user` and `allow` are older names of `src` and `accept`.
const KEYS: [&str; 7] = ["src", "proto", "accept", "deny", "srcPostureAttrs", "user", "allow"];
const SSH_KEYS: [&str; 6] = ["src", "dst", "accept", "deny", "check", "srcPostureAttrs"];

/// The entries of `tests`. What one names wrongly is its failure, as with the reference.
pub(crate) fn read(value: &Value, names: &Names, report: &mut Report) -> Vec<Trial> {
    objects(value, "tests", report).into_iter().map(|object| trial(object, names, report)).collect()
}

/// The entries of `sshTests`.
pub(crate) fn read_ssh(value: &Value, names: &Names, report: &mut Report) -> Vec<LoginTrial> {
    objects(value, "sshTests", report).into_iter().map(|object| login(object, names, report)).collect()
}

fn objects<'v, 'a>(value: &'v Value<'a>, what: &str, report: &mut Report) -> Vec<&'v Object<'a>> {
    let Value::Array(list) = value else {
        report.say(value.start(), format!("{what} must be a list of tests"), None);
        return Vec::new();
    };
    let mut found = Vec::new();
    for element in &list.elements {
        match element {
            Value::Object(object) => found.push(object),
            other => report.say(other.start(), "a test is an object", None),
        }
    }
    found
}

fn trial(object: &Object, names: &Names, report: &mut Report) -> Trial {
    let fields = report.fields(object, &KEYS, "a test");
    let field = |name| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let protocol = match field("proto").and_then(|value| report.text_of(value, "proto")) {
        None | Some("") => Ok(None),
        Some(text) => protocol::parse(text).map(Some),
    };
    let mut aims = |key| -> Vec<Aim> {
        let texts = field(key).map(|value| report.texts(value, key)).unwrap_or_default();
        texts.into_iter().map(|(_, text)| aim(text, names)).collect()
    };
    let (mut accept, deny) = (aims("accept"), aims("deny"));
    accept.extend(aims("allow"));
    let supposed = postures::supposed(field("srcPostureAttrs"), report);
    let place = report.place(object.start());
    let written = report.renamed(&fields, "src", "user");
    let source = source(written, "a test needs src", names, report);
    Trial { place, source, protocol, accept, deny, supposed }
}

fn aim(text: &str, names: &Names) -> Aim {
    let what = acls::destination(text, &[], names).map(|(named, ports)| (named.alias, ports));
    Aim { text: text.to_owned(), what: what.map_err(|mistake| mistake.message) }
}

fn source(value: Option<&Value>, needed: &str, names: &Names, report: &mut Report) -> (String, Tried<Alias>) {
    let text = value.and_then(|value| report.text_of(value, "src")).unwrap_or_default();
    if text.trim().is_empty() {
        return (String::new(), Err(needed.to_owned()));
    }
    (text.to_owned(), tried(text, Side::Source, names))
}

fn tried(text: &str, side: Side, names: &Names) -> Tried<Alias> {
    Alias::parse(text, side, names).map_err(|mistake| mistake.message)
}

fn login(object: &Object, names: &Names, report: &mut Report) -> LoginTrial {
    let fields = report.fields(object, &SSH_KEYS, "an SSH test");
    let field = |name| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let mut destinations = Vec::new();
    for (at, text) in field("dst").map(|value| report.texts(value, "dst")).unwrap_or_default() {
        let found = tried(text, Side::Destination, names);
        if text.starts_with("tag:") && found.is_err() {
            report.say(at, format!("SSH tests dst contains unknown tag {text:?}"), None);
        } else if found.as_ref().is_ok_and(|alias| !is_device(alias)) {
            report.say(at, format!("SSH tests dst contains disallowed element {text:?}"), None);
        }
        destinations.push((text.to_owned(), found));
    }
    let mut users = |key| -> Vec<String> {
        let texts = field(key).map(|value| report.texts(value, key)).unwrap_or_default();
        texts.into_iter().map(|(_, text)| text.trim().to_owned()).collect()
    };
    let (accept, deny, check) = (users("accept"), users("deny"), users("check"));
    let supposed = postures::supposed(field("srcPostureAttrs"), report);
    let place = report.place(object.start());
    let source = source(field("src"), "SSH tests entry must have a non-empty src", names, report);
    LoginTrial { place, source, destinations, accept, deny, check, supposed }
}

/// Whether logins can be tried there: no network, and not the internet.
fn is_device(alias: &Alias) -> bool {
    match alias {
        Alias::Prefix(net) => net.prefix_len() == net.max_prefix_len(),
        Alias::Any | Alias::Internet | Alias::Range(..) | Alias::Set(_) => false,
        Alias::Service(_) | Alias::Anywhere | Alias::Shared | Alias::With(..) => false,
        Alias::User(_) | Alias::Group(_) | Alias::Tag(_) | Alias::Domain(_) | Alias::Role(_) => true,
        Alias::Member | Alias::Tagged | Alias::Own => true,
    }
}
