//! Consequences are told under their cause.

use serde::Serialize;

use crate::{Check, State, Verdict, Waived, find};

/// A check that was run.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Which one.
    pub id: &'static str,
    /// How it ended.
    pub state: State,
    /// Its first line.
    pub summary: String,
    /// The check that must be mended first, after which this one may be well by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consequence_of: Option<&'static str>,
    /// Why it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waived: Option<Waived>,
    /// What was found.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long it took.
    pub milliseconds: u64,
}

impl Outcome {
    /// This check came to this.
    pub fn new(check: &'static Check, verdict: Verdict, milliseconds: u64) -> Self {
        let (state, summary) = (verdict.state(), verdict.summary());
        Self { id: check.id, state, summary, consequence_of: None, waived: None, verdict, milliseconds }
    }
    /// Whether it stands for something to be done.
    pub fn counts(&self) -> bool {
        self.waived.is_none() && self.state >= State::Warn
    }
}

/// Names for each check that did not end well the cause that explains it: a check that it rests on, that ended at least
/// as badly. Causes of causes count; the furthest is named.
pub fn fold(outcomes: &mut [Outcome]) {
    let states: Vec<_> = outcomes.iter().map(|o| (o.id, o.state)).collect();
    for outcome in outcomes.iter_mut().filter(|o| o.state >= State::Unknown) {
        outcome.consequence_of = root(outcome.id, &states, CATALOGUE_DEPTH);
    }
}

/// No chain of causes is longer.
const CATALOGUE_DEPTH: usize = 8;

fn root(id: &str, states: &[(&'static str, State)], depth: usize) -> Option<&'static str> {
    let own = states.iter().find(|(other, _)| *other == id)?.1;
    let causes = find(id).ok()?.depends_on.iter();
    let mut failed = causes.filter_map(|cause| states.iter().find(|(other, _)| other == cause));
    let (cause, _) = failed.find(|(_, state)| *state >= State::Unknown && *state >= own)?;
    if depth == 0 {
        return Some(cause);
    }
    root(cause, states, depth - 1).or(Some(cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(states: &[(&str, Verdict)]) -> Vec<(&'static str, Option<&'static str>)> {
        let mut outcomes: Vec<_> =
            states.iter().map(|(id, verdict)| Outcome::new(find(id).unwrap(), verdict.clone(), 0)).collect();
        fold(&mut outcomes);
        outcomes.iter().map(|o| (o.id, o.consequence_of)).collect()
    }

    #[test]
    fn the_furthest_cause_is_named() {
        let bad = || Verdict::unknown("x");
        assert_eq!(
            folded(&[
                ("server.answers", bad()),
                ("nodes.registered", bad()),
                ("nodes.reachable", bad()),
                ("stun.answers", Verdict::pass("y")),
            ]),
            [
                ("server.answers", None),
                ("nodes.registered", Some("server.answers")),
                ("nodes.reachable", Some("server.answers")),
                ("stun.answers", None),
            ]
        );
    }

    #[test]
    fn a_failure_is_no_consequence_of_what_is_merely_unknown() {
        let outcome =
            folded(&[("server.answers", Verdict::unknown("x")), ("stun.answers", Verdict::fail("y"))]);
        assert_eq!(outcome[1], ("stun.answers", None));
        let outcome = folded(&[("server.answers", Verdict::warn("x")), ("stun.answers", Verdict::fail("y"))]);
        assert_eq!(outcome[1], ("stun.answers", None));
    }
}
