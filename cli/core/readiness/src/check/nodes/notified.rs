//! `clients.notified`: what the plan of a reset says about who was told.

use jiff::Timestamp;

use crate::Verdict;

/// A plan that is older describes another mesh.
const HOURS: i64 = 24;

/// What is written in a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its file.
    pub file: String,
    /// When it was made.
    pub made: Timestamp,
    /// Which database it is about.
    pub database: String,
    /// Who was to be told, how, and whether that came about.
    pub receipts: Vec<Receipt>,
}

/// One who was to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// `client`, `webhook`, `command`.
    pub channel: String,
    /// Which one.
    pub to: String,
    /// Whether it got there.
    pub reached: bool,
    /// What it said.
    pub detail: String,
}

/// What agents say of the notice in force, as the server knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agents {
    /// Devices on which it has arrived, and when that was shown.
    pub acknowledged: Vec<(String, String)>,
    /// Devices whose agent reports and has not shown it.
    pub awaited: Vec<String>,
}

/// The plan's receipts of clients, corrected by what agents have shown since it was made.
pub fn with_agents(mut plan: Plan, agents: &Agents) -> Plan {
    for receipt in plan.receipts.iter_mut().filter(|receipt| receipt.channel == "client") {
        if let Some((_, at)) = agents.acknowledged.iter().find(|(node, _)| *node == receipt.to) {
            (receipt.reached, receipt.detail) = (true, format!("its agent acknowledged the notice at {at}"));
        } else if agents.awaited.contains(&receipt.to) {
            (receipt.reached, receipt.detail) =
                (false, "its agent has not acknowledged the notice".to_owned());
        }
    }
    plan
}

/// Whether clients and owners were told; `live` is the database in use, where that is known.
pub fn notified(plan: &Plan, live: Option<&str>, now: Timestamp) -> Verdict {
    let again = "meshctl reset plan --out FILE --reason TEXT";
    if live.is_some_and(|live| live != plan.database) {
        return Verdict::fail(format!("{} is about another database than the one in use", plan.file))
            .fix(again);
    }
    let hours = (now.as_second() - plan.made.as_second()) / 3600;
    if hours >= HOURS {
        return Verdict::fail(format!("{} is {hours} hours old", plan.file)).fix(again);
    }
    let reached = plan.receipts.iter().filter(|r| r.reached).count();
    let missed: Vec<_> =
        plan.receipts.iter().filter(|r| !r.reached).map(|r| format!("{} {}", r.channel, r.to)).collect();
    let verdict = match (reached, missed.as_slice()) {
        (0, _) => Verdict::fail("nobody was told").fix(again),
        (_, []) => Verdict::pass(format!("all {reached} who were to be told were reached")),
        (_, missed) => {
            Verdict::warn(format!("not reached: {}; tell their owners another way", missed.join(", ")))
        }
    };
    plan.receipts.iter().fold(verdict, |verdict, r| {
        verdict.seen("notice of the reset", format!("{} {}", r.channel, r.to), r.detail.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn plan(reached: &[bool]) -> Plan {
        let receipt = |reached: &bool| Receipt {
            channel: "client".into(),
            to: "n".into(),
            reached: *reached,
            detail: String::new(),
        };
        let made = Timestamp::from_second(1_800_000_000).unwrap();
        Plan { file: "p".into(), made, database: "d".into(), receipts: reached.iter().map(receipt).collect() }
    }
    fn state(plan: &Plan, live: Option<&str>, hours: i64) -> State {
        notified(plan, live, Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()).state()
    }

    #[test]
    fn what_agents_show_counts_for_more_than_what_was_sent() {
        let agents = |acknowledged: &[&str], awaited: &[&str]| Agents {
            acknowledged: acknowledged.iter().map(|n| (n.to_string(), "t".into())).collect(),
            awaited: awaited.iter().map(ToString::to_string).collect(),
        };
        let reached = |was: bool, agents: &Agents| with_agents(plan(&[was]), agents).receipts[0].reached;
        assert!(reached(false, &agents(&["n"], &[])));
        assert!(!reached(true, &agents(&[], &["n"])));
        assert!(reached(true, &agents(&["other"], &["another"])));
    }

    #[test]
    fn nobody_told_or_another_database_or_an_old_plan_is_no_notice() {
        assert_eq!(state(&plan(&[true, true]), Some("d"), 1), State::Pass);
        assert_eq!(state(&plan(&[true, false]), Some("d"), 1), State::Warn);
        assert_eq!(state(&plan(&[false]), Some("d"), 1), State::Fail);
        assert_eq!(state(&plan(&[]), None, 1), State::Fail);
        assert_eq!(state(&plan(&[true]), Some("other"), 1), State::Fail);
        assert_eq!(state(&plan(&[true]), Some("d"), 24), State::Fail);
    }
}
