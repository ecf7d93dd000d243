//! Exceptions with a reason and an end.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{Outcome, State, find};

/// A check that need not pass for a while.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The check.
    pub id: String,
    /// Why; not empty.
    pub reason: String,
    /// The last day on which it counts, in UTC.
    pub expires: Date,
}

/// Several of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waivers {
    /// In the order of the file.
    #[serde(default)]
    pub waivers: Vec<Waiver>,
}

/// Why a check does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waived {
    /// Whoever waived it said so.
    pub reason: String,
    /// The last day.
    pub expires: Date,
}

/// Why a text is no list of waivers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWaivers {
    #[error("{0}")]
    Yaml(String),
    #[error("there is no check {0} to waive; the nearest is {1}")]
    NoCheck(String, &'static str),
    #[error("the waiver of {0} gives no reason")]
    NoReason(String),
}

impl Waivers {
    /// YAML: `waivers: [{id: stun.answers, reason: …, expires: 2027-01-31}]`.
    pub fn parse(text: &str) -> Result<Self, BadWaivers> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let waivers: Self = serde_yaml::from_str(text).map_err(|e| BadWaivers::Yaml(e.to_string()))?;
        for waiver in &waivers.waivers {
            find(&waiver.id).map_err(|e| BadWaivers::NoCheck(e.id, e.nearest))?;
            if waiver.reason.trim().is_empty() {
                return Err(BadWaivers::NoReason(waiver.id.clone()));
            }
        }
        Ok(waivers)
    }

    /// Marks what is waived on this day. What passes needs no waiver; one that has ended is mentioned and counts no more.
    pub fn apply(&self, outcomes: &mut [Outcome], now: Timestamp) {
        let today = now.to_zoned(TimeZone::UTC).date();
        for outcome in outcomes.iter_mut().filter(|o| o.state >= State::Warn) {
            let mine = self.waivers.iter().filter(|w| w.id == outcome.id);
            let Some(latest) = mine.max_by_key(|w| w.expires) else { continue };
            if latest.expires >= today {
                outcome.waived = Some(Waived { reason: latest.reason.clone(), expires: latest.expires });
            } else {
                outcome.summary.push_str(&format!(" (its waiver ended on {})", latest.expires));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;

    const TEXT: &str = "waivers:\n  - {id: stun.answers, reason: no UDP here, expires: 2026-11-21}\n";

    fn on(day: &str, verdict: Verdict) -> Outcome {
        let mut outcomes = [Outcome::new(find("stun.answers").unwrap(), verdict, 0)];
        let now: Timestamp = format!("{day}T23:59:59Z").parse().unwrap();
        Waivers::parse(TEXT).unwrap().apply(&mut outcomes, now);
        let [outcome] = outcomes;
        outcome
    }

    #[test]
    fn a_waiver_counts_until_its_last_day() {
        assert!(!on("2026-11-21", Verdict::fail("silent")).counts());
        let late = on("2026-11-22", Verdict::fail("silent"));
        assert!(late.counts() && late.summary.contains("ended on 2026-11-21"), "{}", late.summary);
    }

    #[test]
    fn what_passes_is_not_waived() {
        assert_eq!(on("2026-11-20", Verdict::pass("answers")).waived, None);
    }

    #[test]
    fn a_waiver_names_a_check_a_reason_and_an_end() {
        let error = |text: &str| Waivers::parse(text).unwrap_err().to_string();
        assert!(
            error("waivers: [{id: stun.answer, reason: x, expires: 2026-01-01}]").contains("stun.answers")
        );
        assert!(
            error("waivers: [{id: stun.answers, reason: ' ', expires: 2026-01-01}]").contains("no reason")
        );
        assert!(error("waivers: [{id: stun.answers, reason: x}]").contains("expires"));
        assert!(!error("waivers: [{id: stun.answers, reason: x, expires: soon}]").is_empty());
        assert!(error("waiver: []").contains("waiver"));
        assert_eq!(Waivers::parse("\n").unwrap(), Waivers::default());
    }
}
