//! `groups`: people under one name.

use std::collections::BTreeMap;

use jsonc_parser::{ast::Value, common::Ranged};

use crate::{alias::login, parse::hujson::Report};

/// Logins by group, in the form in which they are compared.
pub(crate) fn read(value: &Value, report: &mut Report) -> BTreeMap<String, Vec<String>> {
    let mut groups = BTreeMap::new();
    for member in report.members(value, "groups") {
        let name = member.name.as_str();
        if name.strip_prefix("group:").is_none_or(str::is_empty) {
            let hint = Some("a group is written group:name".to_owned());
            report.say(member.start(), format!("groups[{name:?}]: not a group's name"), hint);
        }
        let mut logins = Vec::new();
        for (at, text) in report.texts(&member.value, &format!("groups[{name:?}]")) {
            logins.extend(person(at, text, name, report));
        }
        logins.sort();
        logins.dedup();
        groups.insert(name.to_owned(), logins);
    }
    groups
}

fn person(at: usize, text: &str, group: &str, report: &mut Report) -> Option<String> {
    if text.starts_with("group:") {
        let hint = Some("list the people themselves".to_owned());
        report.say(at, format!("groups[{group:?}]: {text:?}: group members cannot be recursive"), hint);
        return None;
    }
    if text.starts_with("user:") {
        let hint = Some("name it beside the group in the rules themselves".to_owned());
        report.say(at, format!("groups[{group:?}]: {text:?}: a group lists its people one by one"), hint);
        return None;
    }
    match login(text) {
        Ok(login) => Some(login),
        Err(mistake) => {
            report.say(at, format!("groups[{group:?}]: {}", mistake.message), mistake.hint);
            None
        }
    }
}
