//! Who gains and who loses what when one policy takes the place of another.

use std::collections::{BTreeMap, BTreeSet};

use ident::Tag;
use serde::Serialize;

use super::{
    Asked, TooLarge, Work,
    party::Party,
    ruling::{Opens, Place, Ruling, rulings},
    shift::{Kind, Shift},
    source::Lines,
    stage::Stage,
    traffic::Traffic,
};
use crate::{
    Document, Roster,
    policy::{Recording, SshUser},
};

/// Most pairs of parties that are looked at.
pub const MOST_PAIRS: usize = 250_000;

/// What changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What the newer policy gives and the older one does not.
    pub gained: Vec<Shift>,
    /// What the older policy gives and the newer one does not.
    pub lost: Vec<Shift>,
    /// Whether all was looked at; otherwise there may be more, of either kind.
    pub complete: bool,
}

impl Difference {
    /// What somebody who is known today gains.
    pub fn widens(&self) -> impl Iterator<Item = &Shift> {
        self.gained.iter().filter(|shift| !shift.foretold)
    }

    /// Whether nobody who is known today gains anything, as far as all was looked at.
    pub fn is_narrowing(&self) -> bool {
        self.complete && self.widens().next().is_none()
    }
}

impl Document {
    /// What changes when the newer policy takes the place of this one, for the devices and people of the roster, and for
    /// those that there might be: `kinds` are the sets of tags that a device can get.
    pub fn difference(
        &self,
        newer: &Document,
        roster: &Roster,
        kinds: &[Vec<Tag>],
    ) -> Result<Difference, TooLarge> {
        let mut work = Work::new();
        let (before, after) = (Asked::from(self), Asked::from(newer));
        let stage = Stage::set(&[before.content, after.content], roster, kinds, &mut work)?;
        let older = Reach::of(&stage, rulings(&stage, before.content, 0, &mut work)?);
        let newer = Reach::of(&stage, rulings(&stage, after.content, 1, &mut work)?);
        let (pairs, complete) = changed(&older, &newer, &mut work)?;
        let (mut gains, mut losses) = (Ledger::default(), Ledger::default());
        for (from, to) in pairs {
            let foretold = [from, to].iter().any(|id| stage.party(*id).is_some_and(|party| party.foretold));
            let side = Pair { from, to, foretold };
            compare(&side, &older, &newer, false, &mut gains, &mut work)?;
            compare(&side, &newer, &older, true, &mut losses, &mut work)?;
        }
        let gained = gains.conclude(&stage, &Lines::of(after.text));
        Ok(Difference { gained, lost: losses.conclude(&stage, &Lines::of(before.text)), complete })
    }
}

/// What a policy opens, by party.
struct Reach<'a> {
    rulings: Vec<Ruling<'a>>,
    from: Vec<Vec<u32>>,
    to: Vec<Vec<u32>>,
    own: u32,
}

struct Pair {
    from: u32,
    to: u32,
    foretold: bool,
}

impl<'a> Reach<'a> {
    fn of(stage: &Stage, rulings: Vec<Ruling<'a>>) -> Self {
        let mut from = vec![Vec::new(); stage.parties.len()];
        let mut to = from.clone();
        for (at, ruling) in rulings.iter().enumerate() {
            ruling.sources.iter().for_each(|id| from[*id as usize].push(at as u32));
            ruling.destinations.iter().for_each(|id| to[*id as usize].push(at as u32));
        }
        Self { rulings, from, to, own: stage.own }
    }

    /// The rulings between two parties.
    fn on(&self, from: u32, to: u32) -> impl Iterator<Item = &Ruling<'a>> {
        let open = &self.to[to as usize];
        let both = self.from[from as usize].iter().filter(|at| open.binary_search(at).is_ok());
        both.map(|at| &self.rulings[*at as usize])
    }

    /// Also those by which one's own devices are reached because they are like oneself.
    fn on_all(&self, from: u32, to: u32) -> impl Iterator<Item = &Ruling<'a>> {
        let like = (to == self.own).then(|| self.on(from, from));
        self.on(from, to).chain(like.into_iter().flatten())
    }
}

/// The pairs between which some rule of only one policy opens something; and whether these are all.
fn changed(older: &Reach, newer: &Reach, work: &mut Work) -> Result<(BTreeSet<(u32, u32)>, bool), TooLarge> {
    let mut pairs = BTreeSet::new();
    for (these, those) in [(newer, older), (older, newer)] {
        for ruling in &these.rulings {
            work.spend(1 + those.rulings.len() / 16)?;
            if those.rulings.iter().any(|other| other.is_same(ruling)) {
                continue;
            }
            for from in &ruling.sources {
                work.spend(ruling.destinations.len())?;
                pairs.extend(ruling.destinations.iter().map(|to| (*from, *to)));
                if pairs.len() > MOST_PAIRS {
                    return Ok((pairs, false));
                }
            }
        }
    }
    Ok((pairs, true))
}

/// Notes what the second policy opens between the two and the first does not.
fn compare<'a>(
    pair: &Pair,
    base: &Reach,
    other: &Reach<'a>,
    is_loss: bool,
    ledger: &mut Ledger<'a>,
    work: &mut Work,
) -> Result<(), TooLarge> {
    let Pair { from, to, foretold } = *pair;
    work.spend(base.from[from as usize].len() + other.from[from as usize].len())?;
    let mut known = Traffic::default();
    base.on_all(from, to).for_each(|ruling| {
        if let Opens::Traffic(traffic) = &ruling.opens {
            known.add(traffic);
        }
    });
    let has = |opens: &Opens| base.on_all(from, to).any(|ruling| ruling.opens == *opens);
    for ruling in other.on(from, to) {
        let what = match &ruling.opens {
            Opens::Traffic(traffic) => traffic.minus(&known).to_string(),
            Opens::Caps(caps) => {
                let held = |name: &String, value: &serde_json::Value| {
                    base.on_all(from, to).any(
                        |ruling| matches!(&ruling.opens, Opens::Caps(caps) if caps.get(name) == Some(value)),
                    )
                };
                let new = caps.iter().filter(|(name, value)| !held(name, value));
                new.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
            }
            Opens::Claim if !has(&Opens::Claim) => "may put it on devices".to_owned(),
            Opens::Route if !has(&Opens::Route) => "served without approval".to_owned(),
            Opens::Attributes(attribute) => {
                let told: Vec<_> = base
                    .on(from, to)
                    .filter_map(|ruling| match ruling.opens {
                        Opens::Attributes(told) => Some(told),
                        _ => None,
                    })
                    .collect();
                let new = |name: &&String| !told.iter().any(|told| told.names.contains(name));
                let other = |(name, value): &(&String, &serde_json::Value)| {
                    !told.iter().any(|told| told.apps.get(*name) == Some(*value))
                };
                let names = attribute.names.iter().filter(new);
                let apps = attribute.apps.iter().filter(other).map(|(name, _)| name);
                names.chain(apps).map(String::as_str).collect::<Vec<_>>().join(", ")
            }
            Opens::Claim | Opens::Route | Opens::Login { .. } => String::new(),
        };
        if !what.is_empty() {
            ledger.note(Cause { place: ruling.place, kind: ruling.opens.kind(), what, foretold }, from, to);
        }
    }
    for (place, what) in logins(base, other, from, to, is_loss) {
        ledger.note(Cause { place, kind: Kind::Login, what, foretold }, from, to);
    }
    Ok(())
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
    base: &Reach,
    other: &Reach<'a>,
    from: u32,
    to: u32,
    is_loss: bool,
) -> Vec<(Place<'a>, String)> {
    let mut users: Vec<&SshUser> = Vec::new();
    for ruling in other.on(from, to) {
        if let Opens::Login { users: own, .. } = &ruling.opens {
            users.extend(own.iter().filter(|user| !users.contains(user)).collect::<Vec<_>>());
        }
    }
    let mut by_cause: BTreeMap<(Place, &str), Vec<String>> = BTreeMap::new();
    for user in users {
        let Some(standing) = standing(other, from, to, user) else { continue };
        let before = self::standing(base, from, to, user);
        if let Some(how) = standing.beyond(before, is_loss) {
            by_cause.entry((standing.place, how)).or_default().push(user.to_string());
        }
    }
    let words = |((place, how), users): ((Place<'a>, &str), Vec<String>)| {
        (place, format!("as {}{how}", users.join(", ")))
    };
    by_cause.into_iter().map(words).collect()
}

/// A check goes before whatever accepts.
fn standing<'a>(reach: &Reach<'a>, from: u32, to: u32, user: &SshUser) -> Option<Standing<'a>> {
    let mut found = None;
    for ruling in reach.on_all(from, to) {
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

/// Why something is gained or lost, and what.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cause<'a> {
    place: Place<'a>,
    kind: Kind,
    what: String,
    foretold: bool,
}

/// Who has what to whom, by cause.
#[derive(Default)]
struct Ledger<'a>(BTreeMap<Cause<'a>, BTreeMap<u32, Vec<u32>>>);

impl<'a> Ledger<'a> {
    fn note(&mut self, cause: Cause<'a>, from: u32, to: u32) {
        self.0.entry(cause).or_default().entry(from).or_default().push(to);
    }

    /// Sources with the same destinations are told together.
    fn conclude(self, stage: &Stage, lines: &Lines) -> Vec<Shift> {
        let mut shifts = Vec::new();
        for (cause, by_source) in self.0 {
            let mut together: BTreeMap<Vec<u32>, Vec<u32>> = BTreeMap::new();
            for (from, to) in by_source {
                together.entry(to).or_default().push(from);
            }
            let (line, rule) = lines.find(cause.place);
            for (to, from) in together {
                shifts.push(shift(stage, &cause, &from, &to, (line, rule.clone())));
            }
        }
        shifts
    }
}

fn shift(
    stage: &Stage,
    cause: &Cause,
    from: &[u32],
    to: &[u32],
    (line, rule): (Option<u32>, String),
) -> Shift {
    let parties = |ids: &[u32]| ids.iter().filter_map(|id| stage.party(*id)).collect::<Vec<_>>();
    let (sources, destinations) = (parties(from), parties(to));
    let pairs = from.iter().flat_map(|a| to.iter().map(|b| stage.pairs(*a, *b))).sum();
    let devices = |parties: &[&Party]| parties.iter().flat_map(|p| p.devices.clone()).collect();
    Shift {
        kind: cause.kind,
        what: cause.what.clone(),
        from: stage.sides(from),
        to: stage.sides(to),
        pairs,
        foretold: cause.foretold,
        line,
        rule,
        sources: devices(&sources),
        destinations: devices(&destinations),
        own: to.contains(&stage.own),
    }
}
