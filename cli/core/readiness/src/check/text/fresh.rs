//! `playbook.fresh-tested`: a record of a run on a fresh host, bound to what was run.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Verdict;

/// What a run on a fresh host came to. It is a file beside the playbooks, written after the second run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// SHA-256 over names and contents of everything that was run, in hex.
    pub tree: String,
    /// When.
    pub at: Timestamp,
    /// Whether the host had nothing of it before.
    pub started_fresh: bool,
    /// Whether the first run ended well.
    pub converged: bool,
    /// What the second run changed.
    pub second_run_changed: u64,
}

/// Why a text is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRecord(String);

impl Record {
    /// JSON.
    pub fn parse(text: &str) -> Result<Self, BadRecord> {
        serde_json::from_str(text).map_err(|e| BadRecord(e.to_string()))
    }
}

const DAY: i64 = 86_400;
const OLDEST_DAYS: i64 = 30;

/// `tree` is the hash of the playbooks as they are; `record` what is known of a run, or why nothing is.
pub fn fresh_tested(tree: Option<&str>, record: Option<&Result<Record, String>>, now: Timestamp) -> Verdict {
    let Some(tree) = tree else { return Verdict::skip("no playbook was named: --playbooks DIR") };
    let fix = "run the playbooks twice on a fresh host, then: meshctl check --record-fresh FILE --playbooks DIR --second-run-changed 0";
    let record = match record {
        None => {
            return Verdict::fail("no record says that these playbooks were run on a fresh host").fix(fix);
        }
        Some(Err(why)) => {
            return Verdict::unknown(format!("the record of a fresh run cannot be read: {why}")).fix(fix);
        }
        Some(Ok(record)) => record,
    };
    let days = (now.as_second() - record.at.as_second()).div_euclid(DAY);
    let verdict = if record.tree != tree {
        Verdict::fail("the playbooks are not the ones that were run on a fresh host: they were changed since")
            .fix(fix)
    } else if !record.started_fresh || !record.converged {
        Verdict::fail("the recorded run did not start on a fresh host, or did not end well").fix(fix)
    } else if record.second_run_changed > 0 {
        Verdict::fail(format!(
            "the second run changed {} things: the playbooks are not idempotent",
            record.second_run_changed
        ))
        .fix(fix)
    } else if days > OLDEST_DAYS {
        Verdict::warn(format!("the run on a fresh host is {days} days old")).fix(fix)
    } else if days < 0 {
        Verdict::unknown("the record is from the future: a clock is wrong").fix("timedatectl status")
    } else {
        Verdict::pass(format!(
            "these playbooks ran on a fresh host {days} days ago, and the second run changed nothing"
        ))
    };
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    verdict.seen(
        "the hash of the playbooks",
        "the record",
        format!("{} recorded, {} here", short(&record.tree), short(tree)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn record() -> Record {
        Record {
            tree: "aa".into(),
            at: Timestamp::UNIX_EPOCH,
            started_fresh: true,
            converged: true,
            second_run_changed: 0,
        }
    }
    fn judged(record: Record, days: i64) -> State {
        fresh_tested(Some("aa"), Some(&Ok(record)), Timestamp::from_second(days * DAY).unwrap()).state()
    }

    #[test]
    fn a_record_is_bound_to_what_was_run() {
        assert_eq!(judged(record(), 3), State::Pass);
        assert_eq!(judged(Record { tree: "bb".into(), ..record() }, 3), State::Fail);
        assert_eq!(judged(Record { second_run_changed: 2, ..record() }, 3), State::Fail);
        assert_eq!(judged(Record { started_fresh: false, ..record() }, 3), State::Fail);
        assert_eq!(judged(record(), 31), State::Warn);
        assert_eq!(judged(record(), -1), State::Unknown);
    }

    #[test]
    fn no_record_fails_a_broken_one_is_unknown_and_nothing_to_run_is_skipped() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(fresh_tested(Some("aa"), None, now).state(), State::Fail);
        assert_eq!(fresh_tested(Some("aa"), Some(&Err("torn".into())), now).state(), State::Unknown);
        assert_eq!(fresh_tested(None, None, now).state(), State::Skip);
    }

    #[test]
    fn a_record_is_read_strictly() {
        let text = serde_json::to_string(&record()).unwrap();
        assert_eq!(Record::parse(&text), Ok(record()));
        assert!(Record::parse("{}").is_err() && Record::parse("").is_err());
    }
}
