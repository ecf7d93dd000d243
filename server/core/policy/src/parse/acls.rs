//! `acls`: the rules.

use jsonc_parser::{
    ast::{Object, Value},
    common::Ranged,
};

use crate::{
    MAX_RULES, PortRange,
    alias::{Alias, Mistake, Named, Names, Side, mistake, nearest},
    parse::{hujson::Report, tailnet::postures},
    policy::{Acl, Content, TOO_MUCH},
    protocol,
};

/// `users` and `ports` are older names of `src` and `dst`.
const KEYS: [&str; 7] = ["action", "src", "dst", "proto", "srcPosture", "users", "ports"];

/// The rules in their order.
pub(crate) fn read(value: &Value, names: &Names, content: &mut Content, report: &mut Report) {
    let Value::Array(list) = value else {
        return report.say(value.start(), "acls must be a list of rules", None);
    };
    if list.elements.len() > MAX_RULES {
        return report.say(value.start(), format!("a policy has at most {MAX_RULES} rules"), None);
    }
    for element in &list.elements {
        let Value::Object(object) = element else {
            report.say(element.start(), "a rule is an object with action, src and dst", None);
            continue;
        };
        let rule = rule(object, names, report);
        let from: usize = rule.sources.iter().map(|named| named.alias.weight()).sum();
        let to: usize =
            rule.destinations.iter().map(|(named, ports)| named.alias.weight() * ports.len()).sum();
        if !content.has_room(from + to) {
            return report.say(object.start(), TOO_MUCH, None);
        }
        content.acls.push(rule);
    }
}

fn rule(object: &Object, names: &Names, report: &mut Report) -> Acl {
    let fields = fields(object, report);
    let field = |name| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    action(object, field("action"), report);
    let protocols: Vec<i32> = field("proto").and_then(|value| protocol(value, report)).into_iter().collect();
    let (source, destination_list) =
        (report.renamed(&fields, "src", "users"), report.renamed(&fields, "dst", "ports"));
    let mut sources = Vec::new();
    for (at, text) in list(object, "src", source, report) {
        match Alias::parse(text, Side::Source, names) {
            Ok(alias) => sources.push(Named { alias, text: text.to_owned() }),
            Err(mistake) => report.say(at, side("src", &mistake), mistake.hint),
        }
    }
    let mut destinations = Vec::new();
    for (at, text) in list(object, "dst", destination_list, report) {
        match destination(text, &protocols, names) {
            Ok(found) => destinations.push(found),
            Err(mistake) => report.mistake(at, mistake),
        }
    }
    let owns = destinations.iter().any(|(named, _)| named.alias == Alias::Own);
    if owns && !sources.iter().all(|named| named.alias == Alias::Any || may_own(&named.alias)) {
        report.say(object.start(), OWN, None);
    }
    if let Some(guard) = postures::guard(field("srcPosture"), names, report) {
        sources = postures::guarded(sources, &guard);
    }
    Acl { line: report.place(object.start()).0, protocols, sources, destinations, via: Vec::new() }
}

/// The reference's words about `autogroup:self` behind sources that are no people.
pub(crate) const OWN: &str = "autogroup:self can only be used with users, groups, or supported autogroups";

/// Whether the sources are people, so that `autogroup:self` means something to them.
pub(crate) fn may_own(alias: &Alias) -> bool {
    matches!(alias, Alias::User(_) | Alias::Group(_) | Alias::Domain(_) | Alias::Member | Alias::Role(_))
}

/// The members of a rule. A key that begins with `#` is a remark of the tool that wrote the policy.
fn fields<'v, 'a>(object: &'v Object<'a>, report: &mut Report) -> Vec<(&'static str, &'v Value<'a>)> {
    let mut fields = Vec::new();
    for member in report.fields_of(object) {
        let name = member.name.as_str();
        if name.starts_with('#') {
            continue;
        }
        if let Some(known) = KEYS.into_iter().find(|known| known.eq_ignore_ascii_case(name)) {
            fields.push((known, &member.value));
        } else {
            let hint =
                nearest(name, KEYS).or_else(|| Some("its keys are action, src, dst and proto".to_owned()));
            report.say(member.start(), format!("a rule has no key {name:?}"), hint);
        }
    }
    fields
}

fn action(object: &Object, value: Option<&Value>, report: &mut Report) {
    let accept = || Some("the only action is accept; what no rule accepts is denied".to_owned());
    match value {
        None => report.say(object.start(), "action must be specified", accept()),
        Some(Value::StringLit(text)) if text.value == "accept" => {}
        Some(Value::StringLit(text)) => {
            report.say(text.range.start, format!("{:?} is not a valid action", text.value), accept());
        }
        Some(other) => report.say(other.start(), "action: a text in quotes was expected", accept()),
    }
}

fn list<'v>(
    object: &Object,
    key: &str,
    value: Option<&'v Value>,
    report: &mut Report,
) -> Vec<(usize, &'v str)> {
    let Some(value) = value else {
        report.say(object.start(), format!("a rule needs {key}"), None);
        return Vec::new();
    };
    report.texts(value, key)
}

fn protocol(value: &Value, report: &mut Report) -> Option<i32> {
    let text = report.text_of(value, "proto")?;
    match protocol::parse(text) {
        _ if text.is_empty() => None,
        Ok(number) => Some(number),
        Err(what) => {
            report.say(value.start(), what, nearest(text, protocol::names()));
            None
        }
    }
}

/// Reads `alias:ports`; the last colon divides, so that IPv6 needs no brackets, though they are taken.
pub(crate) fn destination(
    text: &str,
    protocols: &[i32],
    names: &Names,
) -> Result<(Named, Vec<PortRange>), Mistake> {
    let Some((alias_text, ports)) = text.rsplit_once(':') else {
        return Err(mistake(
            format!("dst={text:?}: no ports"),
            "write alias:ports, such as tag:server:22 or *:*",
        ));
    };
    let bare = alias_text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(alias_text);
    let ports = PortRange::parse_list(ports).map_err(|what| {
        mistake(
            format!("dst={text:?}: {what}"),
            "ports are *, 22, 80-443 or a list of these behind the last colon",
        )
    })?;
    let alias = Alias::parse(bare, Side::Destination, names).map_err(|wrong| Mistake {
        message: format!("dst={alias_text:?}: {}", wrong.message),
        hint: wrong.hint,
    })?;
    let portless = protocols.iter().find(|number| !protocol::has_ports(**number));
    if let Some(number) = portless.filter(|_| ports != [PortRange::ALL]) {
        let name = protocol::name(&[*number]);
        let what = format!(
            "dst={text:?}: protocol does not support specific ports: {name:?}, only \"*\" is allowed"
        );
        return Err(mistake(what, "write * for the ports"));
    }
    Ok((Named { alias, text: alias_text.to_owned() }, ports))
}

fn side(key: &str, mistake: &Mistake) -> String {
    format!("{key}={}", mistake.message)
}
