//! From text to content: which sections there are and in which order they are understood.

mod acls;
mod approvers;
mod groups;
mod hosts;
mod hujson;
mod tag_owners;

use jsonc_parser::{
    ast::{Object, Value},
    common::Ranged,
};

use crate::{
    PolicyErrors,
    alias::{Names, nearest, not_yet},
    parse::hujson::Report,
    policy::Content,
};

const SECTIONS: [&str; 5] = ["groups", "hosts", "tagOwners", "acls", "autoApprovers"];

const LATER_SECTIONS: [&str; 12] = [
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
pub(crate) fn parse(text: &str) -> Result<Content, PolicyErrors> {
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
    report.conclude(content)
}

fn content(root: &Object, report: &mut Report) -> Content {
    let sections = sections(root, report);
    let section = |name| sections.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let groups = section("groups").map(|value| groups::read(value, report)).unwrap_or_default();
    let hosts = section("hosts").map(|value| hosts::read(value, report)).unwrap_or_default();
    let tags = section("tagOwners").map(|value| tag_owners::names(value, report)).unwrap_or_default();
    let names = Names {
        groups: groups.keys().map(String::as_str).collect(),
        hosts: hosts.iter().map(|(name, net)| (name.as_str(), *net)).collect(),
        tags: tags.keys().cloned().collect(),
    };
    let tag_owners = tag_owners::read(&tags, &names, report);
    let acls = section("acls").map(|value| acls::read(value, &names, report)).unwrap_or_default();
    let approvers = section("autoApprovers").map(|value| approvers::read(value, &names, report));
    let (approvers, exit_approvers) = approvers.unwrap_or_default();
    Content { groups, tag_owners, acls, approvers, exit_approvers }
}

/// The sections that are there, by their right names.
fn sections<'v, 'a>(root: &'v Object<'a>, report: &mut Report) -> Vec<(&'static str, &'v Value<'a>)> {
    let known: Vec<&str> = SECTIONS.iter().chain(&LATER_SECTIONS).copied().collect();
    for member in &root.properties {
        let name = member.name.as_str();
        if let Some(later) = LATER_SECTIONS.iter().find(|later| later.eq_ignore_ascii_case(name)) {
            report.mistake(member.start(), not_yet(later));
        } else if !known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            let hint = nearest(name, known.iter().copied());
            report.say(member.start(), format!("a policy has no section {name:?}"), hint);
        }
    }
    let members = report.fields_of(root).into_iter();
    let right = |name: &str| SECTIONS.into_iter().find(|section| section.eq_ignore_ascii_case(name));
    members.filter_map(|member| Some((right(member.name.as_str())?, &member.value))).collect()
}
