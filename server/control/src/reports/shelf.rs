//! The reports themselves, with their bounds, and what of them is still to be written.

use std::collections::{BTreeMap, BTreeSet};

use api::agent::{MISSED_AFTER, Report, Seen, State};
use ident::NodeId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const CHECKS: usize = 32;
const NAME: usize = 40;
const LINE: usize = 400;
const WARNINGS: usize = 16;
const WARNING: usize = 600;
const FASTEST_SECONDS: u32 = 5;
const SLOWEST_SECONDS: u32 = 86_400;
/// Checks that an event names.
const NAMED: usize = 8;

/// Why a report is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It has more of something than anybody needs.
    #[error("a report has at most {most} {what}")]
    TooMany { what: &'static str, most: usize },
    /// Something is not what it is said to be.
    #[error("{0}")]
    Wrong(&'static str),
}

/// What a report changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// It shows that the notice in force has arrived, as none before it did.
    pub acknowledges: bool,
    /// Whether that is known, by this report or an earlier one.
    pub acknowledged: bool,
    /// Things are as they were not before: how, and which checks say so.
    pub turned: Option<(State, Vec<String>)>,
}

/// A report as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    received: Timestamp,
    report: Report,
    /// The notice that has arrived, and when that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acknowledged: Option<(String, Timestamp)>,
}

#[derive(Debug, Default)]
pub(super) struct Shelf {
    by_node: BTreeMap<NodeId, Kept>,
    unwritten: BTreeSet<NodeId>,
}

impl Shelf {
    /// A row that cannot be read is as good as none: the agent reports again.
    pub fn new(rows: Vec<(NodeId, String)>) -> Self {
        let by_node = rows.into_iter().filter_map(|(id, body)| Some((id, serde_json::from_str(&body).ok()?)));
        Self { by_node: by_node.collect(), unwritten: BTreeSet::new() }
    }

    pub fn take(
        &mut self,
        node: NodeId,
        report: Report,
        notice: Option<&str>,
        now: Timestamp,
    ) -> Result<News, Unfit> {
        let report = cleaned(report)?;
        let before = self.by_node.get(&node);
        let known =
            before.and_then(|b| b.acknowledged.clone()).filter(|(text, _)| Some(text.as_str()) == notice);
        let shows = notice.filter(|text| report.health.iter().any(|line| line.contains(*text)));
        let acknowledged = known.clone().or_else(|| shows.map(|text| (text.to_owned(), now)));
        let turned = before.is_none_or(|b| worth(b.report.state()) != worth(report.state()));
        let news = News {
            acknowledges: known.is_none() && acknowledged.is_some(),
            acknowledged: acknowledged.is_some(),
            turned: turned.then(|| (report.state(), failing(&report))),
        };
        self.by_node.insert(node, Kept { received: now, report, acknowledged });
        self.unwritten.insert(node);
        Ok(news)
    }

    pub fn seen(&self, node: NodeId, notice: Option<&str>, now: Timestamp) -> Option<Seen> {
        let Kept { received, report, acknowledged } = self.by_node.get(&node)?.clone();
        let silent = now.as_second() - received.as_second();
        let acknowledged = acknowledged.filter(|(text, _)| Some(text.as_str()) == notice).map(|(_, at)| at);
        let missed = silent > i64::from(report.every_seconds) * i64::from(MISSED_AFTER);
        Some(Seen { received, state: report.state(), missed, acknowledged, report })
    }

    /// What the table does not know yet, and whose rows it can forget.
    pub fn unwritten(&mut self, is_there: impl Fn(NodeId) -> bool) -> (Vec<(NodeId, String)>, Vec<NodeId>) {
        let gone: Vec<_> = self.by_node.keys().copied().filter(|node| !is_there(*node)).collect();
        for node in &gone {
            self.by_node.remove(node);
            self.unwritten.remove(node);
        }
        let changed = std::mem::take(&mut self.unwritten);
        let row = |node: NodeId| Some((node, serde_json::to_string(self.by_node.get(&node)?).ok()?));
        (changed.into_iter().filter_map(row).collect(), gone)
    }
}

/// Skipped is as good as passed, and not known as bad as failed.
fn worth(state: State) -> u8 {
    match state {
        State::Skip | State::Pass => 0,
        State::Warn => 1,
        State::Unknown | State::Fail => 2,
    }
}

fn failing(report: &Report) -> Vec<String> {
    let bad = report.checks.iter().filter(|check| worth(check.state) > 0);
    bad.take(NAMED).map(|check| check.id.clone()).collect()
}

/// The same without anything that a terminal or a page would obey.
fn cleaned(report: Report) -> Result<Report, Unfit> {
    let Report { version, at, every_seconds, mut checks, health, recovery, memory_kib } = report;
    if checks.len() > CHECKS {
        return Err(Unfit::TooMany { what: "checks", most: CHECKS });
    }
    if health.len() > WARNINGS {
        return Err(Unfit::TooMany { what: "warnings", most: WARNINGS });
    }
    let named = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-".contains(&c);
    for check in &mut checks {
        if !(1..=NAME).contains(&check.id.len()) || !check.id.bytes().all(named) {
            return Err(Unfit::Wrong(
                "a check's name is 1 to 40 lower-case letters, digits, dots and hyphens",
            ));
        }
        check.detail = line(&check.detail, LINE);
        check.fix = check.fix.as_deref().map(|fix| line(fix, LINE));
    }
    Ok(Report {
        version: line(&version, NAME),
        at,
        every_seconds: every_seconds.clamp(FASTEST_SECONDS, SLOWEST_SECONDS),
        checks,
        health: health.iter().map(|text| line(text, WARNING)).collect(),
        recovery: recovery.as_deref().map(|text| line(text, LINE)),
        memory_kib,
    })
}

fn line(text: &str, longest: usize) -> String {
    let mut text = wire::plain(text);
    text.truncate(text.floor_char_boundary(longest));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::agent::Check;

    const NODE: NodeId = NodeId::FIRST;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }
    fn report(state: State, health: &[&str]) -> Report {
        let check = Check { id: "tunnel".into(), state, detail: "a\u{1b}[2Jb".into(), fix: None };
        Report {
            version: "1".into(),
            at: now(),
            every_seconds: 60,
            checks: vec![check],
            health: health.iter().map(ToString::to_string).collect(),
            recovery: None,
            memory_kib: None,
        }
    }

    #[test]
    fn a_notice_is_acknowledged_once_and_by_what_the_client_shows() {
        let mut shelf = Shelf::default();
        let mut take = |health: &[&str], notice| {
            let news = shelf.take(NODE, report(State::Pass, health), notice, now()).unwrap();
            (news.acknowledges, news.acknowledged)
        };
        assert_eq!(take(&[], Some("reset on Friday")), (false, false));
        assert_eq!(take(&["it says: reset on Friday."], Some("reset on Friday")), (true, true));
        assert_eq!(take(&[], Some("reset on Friday")), (false, true), "it stays acknowledged");
        assert_eq!(
            take(&["it says: reset on Friday."], Some("reset on Monday")),
            (false, false),
            "another one"
        );
        assert_eq!(take(&["anything"], None), (false, false));
    }

    #[test]
    fn a_turn_is_told_once() {
        let mut shelf = Shelf::default();
        let mut turned = |state| shelf.take(NODE, report(state, &[]), None, now()).unwrap().turned;
        assert_eq!(turned(State::Pass), Some((State::Pass, Vec::new())));
        assert_eq!(turned(State::Skip), None);
        assert_eq!(turned(State::Fail), Some((State::Fail, vec!["tunnel".to_owned()])));
        assert_eq!(turned(State::Unknown), None, "not to know is as bad");
    }

    #[test]
    fn what_a_terminal_would_obey_is_left_out_and_what_is_too_much_is_refused() {
        let mut shelf = Shelf::default();
        let mut long = report(State::Pass, &[]);
        long.checks[0].fix = Some("é".repeat(1000));
        shelf.take(NODE, long, None, now()).unwrap();
        let seen = shelf.seen(NODE, None, now()).unwrap();
        assert_eq!(seen.report.checks[0].detail, "a[2Jb");
        assert_eq!(seen.report.checks[0].fix.as_deref().map(str::len), Some(LINE));
        let mut many = report(State::Pass, &[]);
        many.checks = vec![many.checks[0].clone(); CHECKS + 1];
        assert!(shelf.take(NODE, many, None, now()).is_err());
        let mut odd = report(State::Pass, &[]);
        odd.checks[0].id = "No such".into();
        assert!(shelf.take(NODE, odd, None, now()).is_err());
    }

    #[test]
    fn silence_is_noticed_and_nodes_that_are_gone_are_forgotten() {
        let mut shelf = Shelf::default();
        shelf.take(NODE, report(State::Pass, &[]), None, now()).unwrap();
        let later = |seconds| Timestamp::from_second(now().as_second() + seconds).unwrap();
        assert!(!shelf.seen(NODE, None, later(180)).unwrap().missed);
        assert!(shelf.seen(NODE, None, later(181)).unwrap().missed);
        let (kept, gone) = shelf.unwritten(|_| true);
        assert_eq!((kept.len(), gone.len()), (1, 0));
        assert!(Shelf::new(kept).seen(NODE, None, now()).is_some(), "what is written can be read");
        assert_eq!(shelf.unwritten(|_| false), (Vec::new(), vec![NODE]));
        assert_eq!(shelf.unwritten(|_| false), (Vec::new(), Vec::new()));
    }
}
