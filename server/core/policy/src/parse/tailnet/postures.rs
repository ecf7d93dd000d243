//! `postures`: what a device must be like. Written as `node:os == 'linux'`.

use std::{collections::BTreeMap, sync::Arc};

use jsonc_parser::{ast, common::Ranged};

use crate::{
    alias::{Alias, Mistake, Named, Names, mistake, nearest},
    parse::{hujson::Report, json},
    posture::{Assertion, Attribute, Guard, Order, Posture, Supposed, Test, Value},
};

/// Assertions by the name of their posture.
pub(crate) type Known = BTreeMap<String, Arc<[Assertion]>>;

/// Attributes that clients report themselves.
const OF_NODE: [(&str, Attribute); 7] = [
    ("host", Attribute::Host),
    ("os", Attribute::Os),
    ("osVersion", Attribute::OsVersion),
    ("tsAutoUpdate", Attribute::AutoUpdate),
    ("tsReleaseTrack", Attribute::ReleaseTrack),
    ("tsStateEncrypted", Attribute::StateEncrypted),
    ("tsVersion", Attribute::Version),
];
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

/// The assertions of each posture by its name, with `posture:`.
pub(crate) fn read(value: &ast::Value, report: &mut Report) -> Known {
    let mut known = Known::new();
    for member in report.members(value, "postures") {
        let name = member.name.as_str();
        let bare = name.strip_prefix("posture:").unwrap_or_default();
        if bare.is_empty() || !bare.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
            let hint = Some("a posture is written posture:name".to_owned());
            report.say(member.start(), format!("postures[{name:?}]: not a posture's name"), hint);
        }
        let texts = report.texts(&member.value, &format!("postures[{name:?}]"));
        if texts.is_empty() {
            report.say(member.value.start(), format!("postures[{name:?}] asserts nothing"), None);
        }
        let mut assertions = Vec::new();
        for (at, text) in texts {
            match assertion(text) {
                Ok(assertion) => assertions.push(assertion),
                Err(Mistake { message, hint }) => {
                    report.say(at, format!("postures[{name:?}]: {message}"), hint);
                }
            }
        }
        known.insert(name.to_owned(), assertions.into());
    }
    known
}

/// What a rule demands of its sources, by itself or by default.
pub(crate) fn guard(value: Option<&ast::Value>, names: &Names, report: &mut Report) -> Option<Guard> {
    let own = value.and_then(|value| demanded(value, "srcPosture", &names.postures, report));
    own.or_else(|| names.posture_by_default.clone())
}

/// What a list of postures demands; nothing when it is empty.
pub(crate) fn demanded(value: &ast::Value, key: &str, known: &Known, report: &mut Report) -> Option<Guard> {
    let mut postures = Vec::new();
    for (at, text) in report.texts(value, key) {
        let Some(assertions) = known.get(text) else {
            let hint = nearest(text, known.keys().map(String::as_str))
                .or_else(|| Some("define it in postures first".to_owned()));
            report.say(at, format!("{key}: posture not found: {text:?}"), hint);
            continue;
        };
        postures.push(Posture { name: text.to_owned(), assertions: Arc::clone(assertions) });
    }
    (!postures.is_empty()).then(|| Guard::of(postures))
}

/// The sources of a rule that demands a posture: known devices alone. Nothing is known of who sends from an address,
/// so that one opens nothing.
pub(crate) fn guarded(sources: Vec<Named>, guard: &Guard) -> Vec<Named> {
    let with = |named: Named| {
        let text = format!("{} with {guard}", named.text);
        Some(Named { alias: with(named.alias, guard)?, text })
    };
    sources.into_iter().filter_map(with).collect()
}

/// The devices among those that an alias means which the guard lets pass; none for one by address.
pub(crate) fn with(alias: Alias, guard: &Guard) -> Option<Alias> {
    match alias {
        Alias::Prefix(_) | Alias::Range(..) | Alias::Set(_) | Alias::Anywhere => None,
        alias => Some(Alias::With(Box::new(alias), guard.clone())),
    }
}

pub(crate) fn assertion(text: &str) -> Result<Assertion, Mistake> {
    let wrong = || mistake(format!("{text:?} is no assertion"), FORM);
    let (name, rest) = text.trim().split_once(char::is_whitespace).ok_or_else(wrong)?;
    let attribute = attribute(name)?;
    let rest = rest.trim();
    let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator)).ok_or_else(|| {
        let known = OPERATORS.join(", ");
        mistake(format!("{text:?} has no operator"), &format!("operators are {known}"))
    })?;
    let operand = rest[operator.len()..].trim();
    let test = match operator {
        "IS SET" => operand.is_empty().then_some(Test::IsSet),
        "NOT SET" => operand.is_empty().then_some(Test::NotSet),
        "IN" => list(operand).map(Test::In),
        "NOT IN" => list(operand).map(Test::NotIn),
        "==" => value(operand).map(Test::Equal),
        "!=" => value(operand).map(Test::Unequal),
        "<=" => value(operand).map(|value| Test::Ordered(Order::AtMost, value)),
        ">=" => value(operand).map(|value| Test::Ordered(Order::AtLeast, value)),
        "<" => value(operand).map(|value| Test::Ordered(Order::Less, value)),
        _ => value(operand).map(|value| Test::Ordered(Order::More, value)),
    };
    let wrong = || mistake(format!("{text:?}: {operand:?} is no value for {operator}"), FORM);
    Ok(Assertion { attribute, test: test.ok_or_else(wrong)? })
}

/// `srcPostureAttrs` of a test: what its source is taken to be, whatever it is.
pub(crate) fn supposed(value: Option<&ast::Value>, report: &mut Report) -> Option<Supposed> {
    let mut supposed = Supposed::default();
    for member in report.members(value?, "srcPostureAttrs") {
        let name = member.name.as_str();
        let told = match json::plain(&member.value) {
            serde_json::Value::String(text) => Value::Text(text),
            serde_json::Value::Number(number) => Value::Text(number.to_string()),
            serde_json::Value::Bool(flag) => Value::Flag(flag),
            _ => {
                let what = format!("srcPostureAttrs[{name:?}] must be a text, a number, true or false");
                report.say(member.value.start(), what, None);
                continue;
            }
        };
        match attribute(name) {
            Ok(attribute) => {
                supposed.0.insert(attribute, told);
            }
            Err(Mistake { message, hint }) => {
                let hint = hint.filter(|hint| hint != FORM);
                report.say(member.start(), format!("srcPostureAttrs: {message}"), hint);
            }
        }
    }
    Some(supposed)
}

fn attribute(attribute: &str) -> Result<Attribute, Mistake> {
    let wrong = || mistake(format!("{attribute:?} is no attribute"), FORM);
    let (space, name) = attribute.split_once(':').ok_or_else(wrong)?;
    if !SPACES.contains(&space) {
        let hint = nearest(space, SPACES).or_else(|| Some(format!("namespaces are {}", SPACES.join(", "))));
        return Err(Mistake { message: format!("{attribute:?}: unknown namespace {space:?}"), hint });
    }
    if space == "node" {
        let names = || OF_NODE.iter().map(|(known, _)| *known);
        return OF_NODE.iter().find(|(known, _)| *known == name).map(|(_, known)| known.clone()).ok_or_else(
            || {
                let all = names().collect::<Vec<_>>().join(", ");
                let hint = nearest(name, names()).or_else(|| Some(format!("it is one of {all}")));
                Mistake { message: format!("{attribute:?}: unknown attribute"), hint }
            },
        );
    }
    let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if fits { Ok(Attribute::Elsewhere(attribute.to_owned())) } else { Err(wrong()) }
}

/// `['a', "b, c", 3]`: at least one value.
fn list(text: &str) -> Option<Vec<Value>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let (mut quote, mut begin, mut values) = (None, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (None, ',') => {
                values.push(value(inner[begin..at].trim())?);
                begin = at + 1;
            }
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    values.push(value(inner[begin..].trim())?);
    Some(values)
}

fn value(text: &str) -> Option<Value> {
    let quoted = |quote: char| {
        let inner = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        inner.filter(|inner| !inner.contains(quote)).map(|inner| Value::Text(inner.to_owned()))
    };
    match text {
        "true" | "false" => Some(Value::Flag(text == "true")),
        _ if text.parse::<f64>().is_ok_and(f64::is_finite) => Some(Value::Text(text.to_owned())),
        _ => quoted('\'').or_else(|| quoted('"')),
    }
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
            "custom:tier IN ['a, b', \"c\"]",
            "custom:checked IS SET",
            "custom:checked NOT SET",
        ] {
            assert!(assertion(right).is_ok(), "{right}");
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
            ("node:os IN []", "is no value"),
            ("node:os IN ['a',]", "is no value"),
            ("node:os IN ['a]", "is no value"),
            ("custom: == 1", "is no attribute"),
            ("custom:x IS SET 1", "is no value"),
        ] {
            let found = assertion(wrong).unwrap_err().message;
            assert!(found.contains(what), "{wrong}: {found}");
        }
    }
}
