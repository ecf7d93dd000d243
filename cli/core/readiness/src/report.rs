//! What a whole run comes to, and the forms that other programs read.

mod junit;
mod sarif;

use serde::Serialize;

use crate::{Outcome, State};

pub use junit::junit;
pub use sarif::sarif;

/// A whole run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The worst state that counts; `pass` when nothing is owed.
    pub state: State,
    /// How many of which.
    pub counts: Counts,
    /// In order of name.
    pub checks: Vec<Outcome>,
}

/// How many checks ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub pass: usize,
    pub warn: usize,
    pub fail: usize,
    pub skip: usize,
    pub unknown: usize,
    /// Of those that would count.
    pub waived: usize,
}

impl Report {
    /// Sums up. Consequences and waivers are marked already.
    pub fn new(mut checks: Vec<Outcome>) -> Self {
        checks.sort_by_key(|check| check.id);
        let state = checks.iter().filter(|c| c.counts()).map(|c| c.state).max().unwrap_or(State::Pass);
        let mut counts = Counts::default();
        for check in &checks {
            let place = match check.state {
                _ if check.waived.is_some() => &mut counts.waived,
                State::Skip => &mut counts.skip,
                State::Pass => &mut counts.pass,
                State::Warn => &mut counts.warn,
                State::Unknown => &mut counts.unknown,
                State::Fail => &mut counts.fail,
            };
            *place += 1;
        }
        Self { state, counts, checks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Verdict, find};

    pub fn sample() -> Report {
        let outcome = |id: &str, verdict| Outcome::new(find(id).unwrap(), verdict, 12);
        Report::new(vec![
            outcome("stun.answers", Verdict::fail("no <answer> & nothing").fix("open UDP 3478")),
            outcome("derp.works", Verdict::pass("it does")),
            outcome(
                "dns.resolver-protocol",
                Verdict::warn("ping of a resolver").at("docs/net.md", 7).and(Verdict::pass("answers")),
            ),
            outcome("clock.skew", Verdict::unknown("nobody answered")),
        ])
    }

    #[test]
    fn the_worst_that_counts_is_the_state() {
        let report = sample();
        assert_eq!(report.state, State::Fail);
        assert_eq!(report.counts, Counts { pass: 1, warn: 1, fail: 1, unknown: 1, ..Counts::default() });
        assert_eq!(Report::new(Vec::new()).state, State::Pass);
    }

    #[test]
    fn junit_tells_failures_and_never_shows_the_unknown_as_passed() {
        let xml = junit(&sample());
        assert!(xml.contains(r#"tests="4" failures="1" errors="0" skipped="1""#), "{xml}");
        assert!(xml.contains(r#"<failure message="no &lt;answer&gt; &amp; nothing">"#), "{xml}");
        assert!(xml.contains(r#"<skipped message="could not be determined: nobody answered"/>"#), "{xml}");
        assert!(xml.contains("<system-out>warn: docs/net.md:7: ping of a resolver"), "{xml}");
    }

    #[test]
    fn sarif_holds_what_stands_in_a_file() {
        let sarif = sarif(&sample());
        assert_eq!(sarif["version"], "2.1.0");
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results.len(), 1, "{sarif}");
        assert_eq!(results[0]["ruleId"], "dns.resolver-protocol");
        assert_eq!(results[0]["level"], "warning");
        let place = &results[0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "docs/net.md");
        assert_eq!(place["region"]["startLine"], 7);
        assert!(results[0]["partialFingerprints"]["finding/v1"].is_string());
    }
}
