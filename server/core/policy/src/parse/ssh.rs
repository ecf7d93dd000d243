//! `ssh`: who may log in on whose behalf.

mod duration;

use ident::Tag;
use jsonc_parser::{
    ast::{Object, Value},
    common::Ranged,
};

use crate::{
    alias::{Alias, Mistake, Names, Side, not_yet},
    parse::{
        hujson::Report,
        tailnet::{self, postures},
    },
    policy::{Ssh, SshUser},
};

const KEYS: [&str; 9] = [
    "action",
    "src",
    "dst",
    "users",
    "checkPeriod",
    "acceptEnv",
    "recorder",
    "enforceRecorder",
    "srcPosture",
];

/// The longest time between two checks: a week.
const MAX_CHECK_SECONDS: i64 = 168 * 3600;

/// The rules in their order.
pub(crate) fn read(value: &Value, names: &Names, report: &mut Report) -> Vec<Ssh> {
    let Value::Array(list) = value else {
        report.say(value.start(), "ssh must be a list of rules", None);
        return Vec::new();
    };
    let mut rules = Vec::new();
    for element in &list.elements {
        match element {
            Value::Object(object) => rules.push(rule(object, names, report)),
            other => report.say(other.start(), "a rule is an object with action, src, dst and users", None),
        }
    }
    rules
}

fn rule(object: &Object, names: &Names, report: &mut Report) -> Ssh {
    let fields = report.fields(object, &KEYS, "a rule of ssh");
    let field = |name| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let checks = action(object, field("action"), report);
    if let Some(value) = field("checkPeriod") {
        period(value, report);
    }
    let mut sources =
        field("src").map(|value| aliases(value, Side::Source, names, report)).unwrap_or_default();
    let destinations = field("dst").map(|v| aliases(v, Side::Destination, names, report)).unwrap_or_default();
    let users = users(object, field("users"), report);
    recording(field("recorder"), field("enforceRecorder"), report);
    let of_people = sources.iter().filter_map(|alias| match alias {
        Alias::Domain(domain) => Some(domain.clone()),
        _ => None,
    });
    let of_users = users.iter().filter_map(|user| match user {
        SshUser::LocalPart(domain) => Some(domain.clone()),
        _ => None,
    });
    let domains = of_people.chain(of_users).collect();
    if let Some(guard) = postures::guard(field("srcPosture"), names, report) {
        sources = sources.into_iter().filter_map(|alias| postures::with(alias, &guard)).collect();
    }
    Ssh {
        place: report.place(object.start()),
        checks,
        domains,
        accept_env: field("acceptEnv").map(|value| environment(value, report)).unwrap_or_default(),
        sources,
        destinations,
        users,
    }
}

/// Whether logins are checked.
fn action(object: &Object, value: Option<&Value>, report: &mut Report) -> bool {
    let Some(value) = value else {
        report.say(object.start(), "action must be specified", None);
        return false;
    };
    match report.text_of(value, "action") {
        Some("accept") => {}
        Some("check") => return true,
        Some("") => report.say(value.start(), "action must be specified", None),
        Some(other) => {
            let hint = Some("an action is accept or check".to_owned());
            report.say(value.start(), format!("{other:?} is not a valid action"), hint);
        }
        None => {}
    }
    false
}

fn period(value: &Value, report: &mut Report) {
    let Some(text) = report.text_of(value, "checkPeriod") else { return };
    if text == "always" {
        return;
    }
    match duration::parse(text) {
        Err(what) => report.say(value.start(), what, None),
        Ok(seconds) if seconds <= 0 => {
            let text = duration::text(seconds);
            report.say(value.start(), format!("checkPeriod {text} must be a positive duration"), None);
        }
        Ok(seconds) if seconds > MAX_CHECK_SECONDS => {
            let text = duration::text(seconds);
            report.say(value.start(), format!("checkPeriod {text} is above the max (168h)"), None);
        }
        Ok(_) => {}
    }
}

fn aliases(value: &Value, side: Side, names: &Names, report: &mut Report) -> Vec<Alias> {
    let key = if side == Side::Source { "src" } else { "dst" };
    let mut found = Vec::new();
    for (at, text) in report.texts(value, key) {
        match Alias::parse(text, side, names) {
            Ok(alias) if fits(&alias, side) => found.push(alias),
            Ok(_) => report.say(at, format!("invalid {key} {text:?}"), None),
            Err(Mistake { message, hint }) => report.say(at, format!("{key}={message}"), hint),
        }
    }
    found
}

/// Logins go to devices, not to addresses.
fn fits(alias: &Alias, side: Side) -> bool {
    match alias {
        Alias::User(_) | Alias::Group(_) | Alias::Tag(_) | Alias::Domain(_) | Alias::Role(_) => true,
        Alias::Member | Alias::Tagged | Alias::Own => true,
        Alias::Any | Alias::Prefix(_) | Alias::Range(..) | Alias::Set(_) => side == Side::Source,
        Alias::Internet | Alias::Service(_) | Alias::Anywhere | Alias::Shared | Alias::With(..) => false,
    }
}

fn users(object: &Object, value: Option<&Value>, report: &mut Report) -> Vec<SshUser> {
    let texts = value.map(|value| report.texts(value, "users")).unwrap_or_default();
    if texts.is_empty() {
        report.say(object.start(), "users must be specified", None);
    }
    let mut users = Vec::new();
    for (at, text) in texts {
        let text = text.trim();
        if text.is_empty() || text == "*" {
            report.say(at, format!("user {text:?} is not valid"), None);
            continue;
        }
        let local = text.strip_prefix("localpart:*@");
        users.push(match (text, local) {
            ("autogroup:nonroot", _) => SshUser::NonRoot,
            (_, Some(domain)) => SshUser::LocalPart(domain.to_lowercase()),
            (name, None) => SshUser::Name(name.to_owned()),
        });
    }
    users
}

/// Sessions are recorded by nobody yet.
fn recording(recorder: Option<&Value>, enforced: Option<&Value>, report: &mut Report) {
    if let Some(value) = recorder {
        for (at, text) in report.texts(value, "recorder") {
            if text.parse::<Tag>().is_err() {
                let hint = Some("a recorder is named by its tag".to_owned());
                report.say(at, format!("recorder {text:?} is not valid"), hint);
            }
        }
        report.unserved(value.start(), not_yet("recorder"));
    }
    if enforced.is_some_and(|value| tailnet::switch(value, "enforceRecorder", report)) && recorder.is_none() {
        report.say(enforced.map_or(0, Ranged::start), "enforceRecorder needs recorder", None);
    }
}

fn environment(value: &Value, report: &mut Report) -> Vec<String> {
    let texts = report.texts(value, "acceptEnv");
    if let Some((at, _)) = texts.iter().find(|(_, text)| text.is_empty()) {
        report.say(*at, "acceptEnv values cannot be empty", None);
    }
    texts.into_iter().map(|(_, text)| text.to_owned()).collect()
}
