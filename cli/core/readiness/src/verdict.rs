//! What a check comes to: findings, the worst of which is its state, and the evidence for them.

use serde::Serialize;

/// How a check ended, from the least to the most that is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// There is nothing of the kind here.
    Skip,
    /// It is so, and was seen.
    Pass,
    /// It works, and somebody should know something.
    Warn,
    /// It could not be determined. Never a pass.
    Unknown,
    /// It is not so.
    Fail,
}

impl State {
    /// The word of reports.
    pub fn word(self) -> &'static str {
        match self {
            State::Skip => "skip",
            State::Pass => "pass",
            State::Warn => "warn",
            State::Unknown => "unknown",
            State::Fail => "fail",
        }
    }
}

/// What was asked, of whom, and the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// `A mesh.example.com over UDP`.
    pub asked: String,
    /// `1.1.1.1:53`.
    pub of: String,
    /// `NXDOMAIN`.
    pub answer: String,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// As it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub state: State,
    /// One line.
    pub detail: String,
    /// A line to paste that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// Where it stands, if it stands in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// What a check comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What was found, in the order in which it was looked for.
    pub findings: Vec<Finding>,
    /// What that rests on.
    pub evidence: Vec<Evidence>,
}

impl Verdict {
    /// It is so.
    pub fn pass(detail: impl Into<String>) -> Self {
        Self::of(State::Pass, detail)
    }
    /// It works, and somebody should know this.
    pub fn warn(detail: impl Into<String>) -> Self {
        Self::of(State::Warn, detail)
    }
    /// It is not so.
    pub fn fail(detail: impl Into<String>) -> Self {
        Self::of(State::Fail, detail)
    }
    /// It could not be determined.
    pub fn unknown(detail: impl Into<String>) -> Self {
        Self::of(State::Unknown, detail)
    }
    /// There is nothing of the kind.
    pub fn skip(detail: impl Into<String>) -> Self {
        Self::of(State::Skip, detail)
    }
    /// One finding of this state.
    pub fn of(state: State, detail: impl Into<String>) -> Self {
        let finding = Finding { state, detail: detail.into(), fix: None, place: None };
        Self { findings: vec![finding], evidence: Vec::new() }
    }
    /// With a line to paste for the last finding.
    pub fn fix(mut self, line: impl Into<String>) -> Self {
        if let Some(finding) = self.findings.last_mut() {
            finding.fix = Some(line.into());
        }
        self
    }
    /// With the place of the last finding.
    pub fn at(mut self, file: &str, line: usize) -> Self {
        if let Some(finding) = self.findings.last_mut() {
            finding.place = Some(Place { file: file.to_owned(), line });
        }
        self
    }
    /// With one piece of evidence more.
    pub fn seen(
        mut self,
        asked: impl Into<String>,
        of: impl Into<String>,
        answer: impl Into<String>,
    ) -> Self {
        self.evidence.push(Evidence { asked: asked.into(), of: of.into(), answer: answer.into() });
        self
    }
    /// Both, one after the other.
    pub fn and(mut self, other: Self) -> Self {
        self.findings.extend(other.findings);
        self.evidence.extend(other.evidence);
        self
    }
    /// All of them; what `none` says when there are none.
    pub fn all(verdicts: impl IntoIterator<Item = Self>, none: impl FnOnce() -> Self) -> Self {
        verdicts.into_iter().reduce(Self::and).unwrap_or_else(none)
    }
    /// The worst finding's; unknown when nothing was found out.
    pub fn state(&self) -> State {
        self.findings.iter().map(|f| f.state).max().unwrap_or(State::Unknown)
    }
    /// The worst finding; of several the first.
    pub fn worst(&self) -> Option<&Finding> {
        let state = self.state();
        self.findings.iter().find(|f| f.state == state)
    }
    /// One line: the worst finding, and how many more are as bad.
    pub fn summary(&self) -> String {
        let Some(worst) = self.worst() else { return "nothing was found out".to_owned() };
        let more = self.findings.iter().filter(|f| f.state == worst.state).count() - 1;
        if more == 0 { worst.detail.clone() } else { format!("{} (and {more} more)", worst.detail) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_found_out_is_no_pass() {
        assert_eq!(Verdict::default().state(), State::Unknown);
    }

    #[test]
    fn the_first_of_the_worst_speaks() {
        let verdict = Verdict::pass("a").and(Verdict::fail("b").fix("mend b")).and(Verdict::fail("c"));
        assert_eq!(verdict.summary(), "b (and 1 more)");
        assert_eq!(verdict.worst().unwrap().fix.as_deref(), Some("mend b"));
    }

    proptest! {
        #[test]
        fn whatever_is_added_nothing_gets_better(states in proptest::collection::vec(0usize..5, 1..8)) {
            let all = [State::Skip, State::Pass, State::Warn, State::Unknown, State::Fail];
            let mut verdict = Verdict::of(all[states[0]], "first");
            for state in &states[1..] {
                let before = verdict.state();
                verdict = verdict.and(Verdict::of(all[*state], "next"));
                prop_assert!(verdict.state() >= before && verdict.state() >= all[*state]);
            }
        }
    }
}
