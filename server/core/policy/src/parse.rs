//! From text to content: which sections there are and in which order they are understood.

mod acls;
mod approvers;
mod attributes;
mod grants;
mod groups;
mod hosts;
mod hujson;
mod ipsets;
mod ssh;
mod tag_owners;
mod tailnet;
mod trials;

use jsonc_parser::{
    ast::{Object, Value},
    common::Ranged,
};

use hujson::json;
use tailnet::postures;

use crate::{
    MAX_RULES,
    alias::{Names, nearest},
    parse::hujson::Report,
    policy::Content,
};

pub(crate) use hujson::Findings;
#[cfg(test)]
pub(crate) use tailnet::postures::assertion;

const SECTIONS: [&str; 17] = [
    "groups",
    "hosts",
    "tagOwners",
    "acls",
    "autoApprovers",
    "grants",
    "ssh",
    "nodeAttrs",
    "postures",
    "defaultSrcPosture",
    "ipsets",
    "tests",
    "sshTests",
    "randomizeClientPort",
    "disableIPv4",
    "OneCGNATRoute",
    "derpMap",
];

/// Reads a policy's text; every mistake at once.
pub(crate) fn parse(text: &str) -> (Content, Findings) {
    let mut report = Report::new(text);
    let tree = hujson::read(text, &mut report);
    let content = match &tree {
        Some(Value::Object(root)) => content(root, &mut report),
        Some(other) => {
            report.say(
                other.start(),
                "a policy is an object",
                Some("begin with { and end with }".to_owned()),
            );
            Content::default()
        }
        None => Content::default(),
    };
    (content, report.conclude())
}

fn content(root: &Object, report: &mut Report) -> Content {
    let sections = sections(root, report);
    let section = |name| sections.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let groups = section("groups").map(|value| groups::read(value, report)).unwrap_or_default();
    let hosts = section("hosts").map(|value| hosts::read(value, report)).unwrap_or_default();
    let tags = section("tagOwners").map(|value| tag_owners::names(value, report)).unwrap_or_default();
    let mut names = Names {
        groups: groups.keys().map(String::as_str).collect(),
        hosts: hosts.iter().map(|(name, net)| (name.as_str(), *net)).collect(),
        tags: tags.keys().cloned().collect(),
        ipsets: Default::default(),
        postures: section("postures").map(|v| postures::read(v, report)).unwrap_or_default(),
        posture_by_default: None,
    };
    names.posture_by_default = section("defaultSrcPosture")
        .and_then(|value| postures::demanded(value, "defaultSrcPosture", &names.postures, report));
    let sets = section("ipsets").map(|value| ipsets::read(value, &names, report)).unwrap_or_default();
    names.ipsets = sets.iter().map(|(name, nets)| (name.as_str(), nets.clone())).collect();
    let names = &names;
    let mut content = Content {
        opens_all: section("acls").is_none() && section("grants").is_none(),
        tag_owners: tag_owners::read(&tags, names, report),
        attributes: section("nodeAttrs").map(|v| attributes::read(v, names, report)).unwrap_or_default(),
        ssh: section("ssh").map(|value| ssh::read(value, names, report)).unwrap_or_default(),
        trials: section("tests").map(|value| trials::read(value, names, report)).unwrap_or_default(),
        logins: section("sshTests").map(|value| trials::read_ssh(value, names, report)).unwrap_or_default(),
        ..Content::default()
    };
    if let Some(value) = section("acls") {
        acls::read(value, names, &mut content, report);
    }
    if let Some(value) = section("grants") {
        grants::read(value, names, &mut content, report);
        if content.acls.len() > MAX_RULES {
            report.say(value.start(), format!("a policy has at most {MAX_RULES} rules"), None);
        }
    }
    for (name, cap) in [("randomizeClientPort", "randomize-client-port"), ("disableIPv4", "disable-ipv4")] {
        if section(name).is_some_and(|value| tailnet::switch(value, name, report)) {
            content.everywhere.push(cap);
        }
    }
    content.mac_route = section("OneCGNATRoute").and_then(|value| tailnet::mac_route(value, report));
    content.relays = section("derpMap").map(|v| tailnet::relays::read(v, report)).unwrap_or_default();
    let approvers = section("autoApprovers").map(|value| approvers::read(value, names, report));
    (content.approvers, content.exit_approvers) = approvers.unwrap_or_default();
    content.groups = groups;
    content
}

/// The sections that are there, by their right names.
fn sections<'v, 'a>(root: &'v Object<'a>, report: &mut Report) -> Vec<(&'static str, &'v Value<'a>)> {
    for member in &root.properties {
        let name = member.name.as_str();
        match SECTIONS.into_iter().find(|known| known.eq_ignore_ascii_case(name)) {
            Some(_) => {}
            None => {
                let hint = nearest(name, SECTIONS);
                report.say(member.start(), format!("a policy has no section {name:?}"), hint);
            }
        }
    }
    let members = report.fields_of(root).into_iter();
    let right = |name: &str| SECTIONS.into_iter().find(|section| section.eq_ignore_ascii_case(name));
    members.filter_map(|member| Some((right(member.name.as_str())?, &member.value))).collect()
}
