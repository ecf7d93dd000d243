//! What rulings open that others do not.

use std::collections::BTreeMap;

use crate::{
    ask::{
        ruling::{Opens, Place, Ruling},
        shift::Kind,
        traffic::Traffic,
    },
    policy::{Attribute, Recording, SshUser},
};

/// What is opened, in words, and where it is said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct New<'a> {
    pub(super) place: Place<'a>,
    pub(super) kind: Kind,
    pub(super) what: String,
}

/// What the `asked` ones among `other` open that `base` does not. Both lists are whole: what holds between two parties.
pub(super) fn beyond<'a>(
    base: &[&Ruling<'a>],
    other: &[&Ruling<'a>],
    asked: &[&Ruling<'a>],
    is_loss: bool,
) -> Vec<New<'a>> {
    let mut known = Traffic::default();
    for ruling in base {
        if let Opens::Traffic(traffic) = &ruling.opens {
            known.add(traffic);
        }
    }
    let has = |opens: &Opens| base.iter().any(|ruling| ruling.opens == *opens);
    let mut news = Vec::new();
    for ruling in asked {
        let what = match &ruling.opens {
            Opens::Traffic(traffic) => traffic.minus(&known).to_string(),
            Opens::Caps(caps) => capabilities(base, caps),
            Opens::Claim if !has(&Opens::Claim) => "may put it on devices".to_owned(),
            Opens::Route if !has(&Opens::Route) => "served without approval".to_owned(),
            Opens::Attributes(attribute) => attributes(base, attribute),
            Opens::Claim | Opens::Route | Opens::Login { .. } => String::new(),
        };
        if !what.is_empty() {
            news.push(New { place: ruling.place, kind: ruling.opens.kind(), what });
        }
    }
    news.extend(logins(base, other, asked, is_loss));
    news
}

fn capabilities(base: &[&Ruling], caps: &BTreeMap<String, serde_json::Value>) -> String {
    let gives = |ruling: &Ruling, name: &String, value: &serde_json::Value| matches!(&ruling.opens, Opens::Caps(caps) if caps.get(name) == Some(value));
    let new = caps.iter().filter(|(name, value)| !base.iter().any(|ruling| gives(ruling, name, value)));
    new.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}

fn attributes(base: &[&Ruling], attribute: &Attribute) -> String {
    let told = base.iter().filter_map(|ruling| match ruling.opens {
        Opens::Attributes(told) => Some(told),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    let new = |name: &&String| !told.iter().any(|told| told.names.contains(name));
    let other = |(name, value): &(&String, &serde_json::Value)| {
        !told.iter().any(|told| told.apps.get(*name) == Some(*value))
    };
    let names = attribute.names.iter().filter(new);
    let apps = attribute.apps.iter().filter(other).map(|(name, _)| name);
    names.chain(apps).map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// How freely somebody may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Checked,
    Accepted,
}

/// How somebody may log in, and by which rule.
#[derive(Clone, Copy)]
struct Standing<'a> {
    grade: Grade,
    recording: Option<&'a Recording>,
    place: Place<'a>,
}

impl Standing<'_> {
    /// What one may do that one may not by the other; nothing when that is nothing.
    fn beyond(&self, other: Option<Standing>, is_loss: bool) -> Option<&'static str> {
        let Some(other) = other else {
            return Some(if self.grade == Grade::Checked { " after a check" } else { "" });
        };
        if other.grade < self.grade {
            let then = " without the check that is asked for from then on";
            return Some(if is_loss { then } else { " without a check" });
        }
        // Another recorder is another: who looks at it is not known here.
        match (self.recording, other.recording) {
            (_, None) => None,
            (None, Some(_)) => Some(" unrecorded"),
            (Some(own), Some(other)) if own.by != other.by => Some(" recorded elsewhere"),
            (Some(own), Some(other)) if other.enforced && !own.enforced => Some(" recorded or not"),
            (Some(_), Some(_)) => None,
        }
    }
}

fn logins<'a>(
    base: &[&Ruling<'a>],
    other: &[&Ruling<'a>],
    asked: &[&Ruling<'a>],
    is_loss: bool,
) -> Vec<New<'a>> {
    let mut users: Vec<&SshUser> = Vec::new();
    for ruling in asked {
        if let Opens::Login { users: own, .. } = &ruling.opens {
            users.extend(own.iter().filter(|user| !users.contains(user)).collect::<Vec<_>>());
        }
    }
    let mut by_cause: BTreeMap<(Place, &str), Vec<String>> = BTreeMap::new();
    for user in users {
        let Some(standing) = standing(other, user) else { continue };
        if let Some(how) = standing.beyond(self::standing(base, user), is_loss) {
            by_cause.entry((standing.place, how)).or_default().push(user.to_string());
        }
    }
    let words = |((place, how), users): ((Place<'a>, &str), Vec<String>)| New {
        place,
        kind: Kind::Login,
        what: format!("as {}{how}", users.join(", ")),
    };
    by_cause.into_iter().map(words).collect()
}

/// A check goes before whatever accepts.
fn standing<'a>(rulings: &[&Ruling<'a>], user: &SshUser) -> Option<Standing<'a>> {
    let mut found = None;
    for ruling in rulings {
        let Opens::Login { checks, users, recording } = ruling.opens else { continue };
        if !user.is_among(users) {
            continue;
        }
        let grade = if checks { Grade::Checked } else { Grade::Accepted };
        let standing = Standing { grade, recording, place: ruling.place };
        if checks {
            return Some(standing);
        }
        found = found.or(Some(standing));
    }
    found
}
