//! `ssh`: who may log in on whose behalf.

mod duration;

use jsonc_parser::{
    ast::{Object, Value},
    common::Ranged,
};

use crate::{
    alias::{Alias, Mistake, Names, Side},
    parse::{
        hujson::Report,
        tailnet::{self, postures},
    },
    policy::{Recording, Ssh, SshUser},
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

/// The time between two checks when none is said, as Tailscale documents it: twelve hours.
const USUAL_CHECK_SECONDS: u64 = 12 * 3600;
/// The longest: a week.
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
    let period_seconds =
        field("checkPeriod").map_or(USUAL_CHECK_SECONDS, |value| period(value, checks, report));
    let mut sources =
        field("src").map(|value| aliases(value, Side::Source, names, report)).unwrap_or_default();
    let destinations = field("dst").map(|v| aliases(v, Side::Destination, names, report)).unwrap_or_default();
    if let Some(what) = apart(&sources, &destinations) {
        report.say(object.start(), what, None);
    }
    let users = users(object, field("users"), report);
    let recording = recording(field("recorder"), field("enforceRecorder"), names, report);
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
        period_seconds,
        domains,
        recording,
        accept_env: field("acceptEnv").map(|value| environment(value, report)).unwrap_or_default(),
        sources,
        destinations,
        users,
    }
}

/// Why such sources cannot log in to such destinations: nobody but a person logs in to that person's devices.
fn apart(sources: &[Alias], destinations: &[Alias]) -> Option<String> {
    let tagged = sources.iter().any(|alias| matches!(alias, Alias::Tag(_) | Alias::Tagged));
    destinations.iter().find_map(|destination| match destination {
        Alias::Own if tagged => Some(
            "autogroup:self destination requires source to contain only users or groups, \
             not tags or autogroup:tagged"
                .to_owned(),
        ),
        Alias::Member if tagged => {
            Some("tags in SSH source cannot access autogroup:member (user-owned devices)".to_owned())
        }
        Alias::User(login) if tagged => {
            Some(format!("tags in SSH source cannot access user-owned devices ({login})"))
        }
        Alias::User(login) if !sources.is_empty() && sources.iter().any(|source| source != destination) => {
            Some(format!(
                "user destination requires source to contain only that same user {login:?}; \
                 use autogroup:self instead"
            ))
        }
        _ => None,
    })
}

/// Whether logins are checked.
fn action(object: &Object, value: Option<&Value>, report: &mut Report) -> bool {
    let Some(value) = value else {
        report.say(object.start(), "action must be specified", None);
        return false;
    };
    match report.text_of(value, "action").map(str::trim) {
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

/// In seconds. What is refused counts as always.
fn period(value: &Value, checks: bool, report: &mut Report) -> u64 {
    let Some(text) = report.text_of(value, "checkPeriod") else { return 0 };
    if !checks {
        let hint = Some("leave it out; nobody is asked where the action is accept".to_owned());
        report.say(value.start(), "checkPeriod is only valid with action \"check\"", hint);
        return 0;
    }
    if text == "always" {
        return 0;
    }
    match duration::parse(text) {
        Err(what) => report.say(value.start(), what, None),
        Ok(seconds) if seconds < 0 => {
            let text = duration::text(seconds);
            report.say(value.start(), format!("checkPeriod {text} must be a positive duration"), None);
        }
        Ok(seconds) if seconds > MAX_CHECK_SECONDS => {
            let text = duration::text(seconds);
            report.say(value.start(), format!("checkPeriod {text} is above the max (168h)"), None);
        }
        Ok(seconds) => return seconds.unsigned_abs(),
    }
    0
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

/// Logins come from people and devices, not from addresses, and go to one's own devices or to tagged ones.
fn fits(alias: &Alias, side: Side) -> bool {
    match alias {
        Alias::User(_) | Alias::Tag(_) | Alias::Member | Alias::Tagged | Alias::Own => true,
        Alias::Group(_) | Alias::Domain(_) | Alias::Role(_) => side == Side::Source,
        Alias::Any | Alias::Prefix(_) | Alias::Range(..) | Alias::Set(_) => false,
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
        // Anything but a whole domain behind it is the name of a user, with the reference too.
        let local = text.strip_prefix("localpart:*@");
        let local = local.filter(|domain| !domain.is_empty() && !domain.contains('@'));
        users.push(match (text, local) {
            ("autogroup:nonroot", _) => SshUser::NonRoot,
            (_, Some(domain)) => SshUser::LocalPart(domain.to_lowercase()),
            (name, None) => {
                report.as_it_stands(at, "user", name);
                SshUser::Name(name.to_owned())
            }
        });
    }
    users
}

/// The tags of the recorders, and whether nobody is let in without them.
fn recording(
    recorder: Option<&Value>,
    enforced: Option<&Value>,
    names: &Names,
    report: &mut Report,
) -> Option<Recording> {
    let mut by = Vec::new();
    for (at, text) in recorder.map(|value| report.texts(value, "recorder")).unwrap_or_default() {
        match Alias::parse(text, Side::Source, names) {
            Ok(Alias::Tag(tag)) => by.push(tag),
            Ok(_) => {
                let hint = Some("a recorder is named by its tag".to_owned());
                report.say(at, format!("recorder {text:?} is not valid"), hint);
            }
            Err(Mistake { message, hint }) => report.say(at, format!("recorder={message}"), hint),
        }
    }
    by.sort();
    by.dedup();
    let on = enforced.is_some_and(|value| tailnet::switch(value, "enforceRecorder", report));
    if let Some(value) = enforced.filter(|_| on && by.is_empty()) {
        report.say(value.start(), "enforceRecorder needs recorder", None);
    }
    (!by.is_empty()).then_some(Recording { by, enforced: on })
}

fn environment(value: &Value, report: &mut Report) -> Vec<String> {
    let texts = report.texts(value, "acceptEnv");
    if let Some((at, _)) = texts.iter().find(|(_, text)| text.is_empty()) {
        report.say(*at, "acceptEnv values cannot be empty", None);
    }
    texts.iter().for_each(|(at, text)| report.as_it_stands(*at, "acceptEnv", text));
    texts.into_iter().map(|(_, text)| text.to_owned()).collect()
}
