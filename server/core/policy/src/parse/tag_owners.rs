//! `tagOwners`: the tags there are, and who may put them on a device.

use std::collections::BTreeMap;

use ident::{Tag, TagError};
use jsonc_parser::{ast::Value, common::Ranged};

use crate::{
    alias::{Alias, Names, Side},
    parse::hujson::Report,
};

/// The tags with the texts of their owners, which can name groups and so are understood later.
pub(crate) fn names<'v>(value: &'v Value, report: &mut Report) -> BTreeMap<Tag, Vec<(usize, &'v str)>> {
    let mut tags = BTreeMap::new();
    for member in report.members(value, "tagOwners") {
        let name = member.name.as_str();
        let what = format!("tagOwners[{name:?}]");
        let owners = report.texts(&member.value, &what);
        match name.parse::<Tag>() {
            Ok(tag) if tags.contains_key(&tag) => {
                report.say(member.start(), format!("{what}: {tag} stands here twice"), None);
            }
            Ok(tag) => {
                tags.insert(tag, owners);
            }
            Err(error) => report.say(member.start(), format!("{what}: {}", reason(name, &error)), None),
        }
    }
    tags
}

/// Who owns each tag.
pub(crate) fn read(
    tags: &BTreeMap<Tag, Vec<(usize, &str)>>,
    names: &Names,
    report: &mut Report,
) -> BTreeMap<Tag, Vec<Alias>> {
    let mut owners = BTreeMap::new();
    for (tag, texts) in tags {
        let mut aliases = Vec::new();
        for (at, text) in texts {
            match Alias::parse(text, Side::Owner, names) {
                Ok(alias) => aliases.push(alias),
                Err(mistake) => {
                    report.say(
                        *at,
                        format!("tagOwners[{:?}]: {}", tag.as_str(), mistake.message),
                        mistake.hint,
                    );
                }
            }
        }
        owners.insert(tag.clone(), aliases);
    }
    owners
}

fn reason(name: &str, error: &TagError) -> String {
    let rest = name.strip_prefix("tag:");
    match rest {
        Some(rest) if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            "tag names must start with a letter, after 'tag:'".to_owned()
        }
        _ => error.to_string(),
    }
}
