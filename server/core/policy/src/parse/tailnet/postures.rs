//! `postures`: what a device must be like. Written as `node:os == 'linux'`.

use std::collections::BTreeSet;

use jsonc_parser::{ast::Value, common::Ranged};

use crate::{
    alias::{Mistake, Names, mistake, nearest, not_yet},
    parse::hujson::Report,
};

/// Attributes that clients report themselves.
const OF_NODE: [&str; 7] =
    ["host", "os", "osVersion", "tsAutoUpdate", "tsReleaseTrack", "tsStateEncrypted", "tsVersion"];
const SPACES: [&str; 11] = [
    "node",
    "ip",
    "custom",
    "falcon",
    "fleet",
    "huntress",
    "intune",
    "jamfPro",
    "kandji",
    "kolide",
    "sentinelOne",
];
/// Longer ones first, so that none is taken for the beginning of another.
const OPERATORS: [&str; 10] = ["NOT SET", "IS SET", "NOT IN", "IN", "==", "!=", "<=", ">=", "<", ">"];
const FORM: &str = "write an attribute, an operator and a value, such as node:os == 'linux'";

/// The names of the postures that are defined, with `posture:`.
pub(crate) fn read(value: &Value, report: &mut Report) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for member in report.members(value, "postures") {
        let name = member.name.as_str();
        let bare = name.strip_prefix("posture:").unwrap_or_default();
        if bare.is_empty() || !bare.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
            let hint = Some("a posture is written posture:name".to_owned());
            report.say(member.start(), format!("postures[{name:?}]: not a posture's name"), hint);
        }
        let assertions = report.texts(&member.value, &format!("postures[{name:?}]"));
        if assertions.is_empty() {
            report.say(member.value.start(), format!("postures[{name:?}] asserts nothing"), None);
        }
        for (at, text) in assertions {
            if let Err(Mistake { message, hint }) = assertion(text) {
                report.say(at, format!("postures[{name:?}]: {message}"), hint);
            }
        }
        names.insert(name.to_owned());
    }
    names
}

/// Whether a rule demands a posture, by itself or by default.
pub(crate) fn guard(value: Option<&Value>, names: &Names, report: &mut Report) -> bool {
    value.is_some_and(|value| demands(value, "srcPosture", &names.postures, report))
        || names.posture_by_default
}

/// Whether a list of postures demands something. No posture is looked at yet, so that a rule which demands one opens
/// nothing, and a running server refuses it.
pub(crate) fn demands(value: &Value, key: &str, known: &BTreeSet<String>, report: &mut Report) -> bool {
    let texts = report.texts(value, key);
    for (at, text) in &texts {
        if !known.contains(*text) {
            let hint = nearest(text, known.iter().map(String::as_str))
                .or_else(|| Some("define it in postures first".to_owned()));
            report.say(*at, format!("{key}: posture not found: {text:?}"), hint);
        }
    }
    if !texts.is_empty() {
        report.unserved(value.start(), not_yet(key));
    }
    !texts.is_empty()
}

fn assertion(text: &str) -> Result<(), Mistake> {
    let wrong = || mistake(format!("{text:?} is no assertion"), FORM);
    let (attribute, rest) = text.trim().split_once(char::is_whitespace).ok_or_else(wrong)?;
    attribute_name(attribute)?;
    let rest = rest.trim();
    let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator)).ok_or_else(|| {
        let known = OPERATORS.join(", ");
        mistake(format!("{text:?} has no operator"), &format!("operators are {known}"))
    })?;
    let value = rest[operator.len()..].trim();
    let fits = match operator {
        "IS SET" | "NOT SET" => value.is_empty(),
        "IN" | "NOT IN" => is_list(value),
        _ => is_value(value),
    };
    if fits { Ok(()) } else { Err(mistake(format!("{text:?}: {value:?} is no value for {operator}"), FORM)) }
}

fn attribute_name(attribute: &str) -> Result<(), Mistake> {
    let wrong = || mistake(format!("{attribute:?} is no attribute"), FORM);
    let (space, name) = attribute.split_once(':').ok_or_else(wrong)?;
    if !SPACES.contains(&space) {
        let hint = nearest(space, SPACES).or_else(|| Some(format!("namespaces are {}", SPACES.join(", "))));
        return Err(Mistake { message: format!("{attribute:?}: unknown namespace {space:?}"), hint });
    }
    if space == "node" && !OF_NODE.contains(&name) {
        let hint = nearest(name, OF_NODE).or_else(|| Some(format!("it is one of {}", OF_NODE.join(", "))));
        return Err(Mistake { message: format!("{attribute:?}: unknown attribute"), hint });
    }
    let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if fits { Ok(()) } else { Err(wrong()) }
}

fn is_list(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| inner.split(',').all(|value| is_value(value.trim())))
}

fn is_value(text: &str) -> bool {
    let quoted = |quote: char| {
        let inner = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        inner.is_some_and(|inner| !inner.contains(quote))
    };
    let bare = matches!(text, "true" | "false") || text.parse::<f64>().is_ok_and(f64::is_finite);
    bare || quoted('\'') || quoted('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assertions_are_an_attribute_an_operator_and_a_value() {
        for right in [
            "node:os == 'macos'",
            "node:tsVersion >= '1.40'",
            "node:tsAutoUpdate != false",
            "custom:tier IN ['prod', 'staging']",
            "ip:country NOT IN [\"KP\"]",
            "falcon:ztaScore >= 70",
            "custom:checked IS SET",
            "custom:checked NOT SET",
        ] {
            assert_eq!(assertion(right), Ok(()), "{right}");
        }
        for (wrong, what) in [
            ("", "is no assertion"),
            ("node:os", "is no assertion"),
            ("os == 'linux'", "is no attribute"),
            ("nod:os == 'linux'", "unknown namespace"),
            ("node:oz == 'linux'", "unknown attribute"),
            ("node:os ~ 'linux'", "has no operator"),
            ("node:os == linux", "is no value"),
            ("node:os == 'li'nux'", "is no value"),
            ("node:os IN 'linux'", "is no value"),
            ("custom: == 1", "is no attribute"),
            ("custom:x IS SET 1", "is no value"),
        ] {
            let found = assertion(wrong).unwrap_err().message;
            assert!(found.contains(what), "{wrong}: {found}");
        }
    }
}
