//! The recovery of a mesh after its server lost its state, as a machine that can be stopped anywhere and goes on where it was.
//!
//! Enters: what the server was, what it is found to be, what came of each step. Leaves: which step is next, and why others are left out.

mod diagnosis;

use serde::{Deserialize, Serialize};

pub use diagnosis::{Diagnosis, Identity};

/// A step; they are taken in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Is it the server that it was?
    Diagnose,
    /// A backup is better than anything that can be made anew.
    Restore,
    /// People.
    Users,
    /// The policy, without which no tag has an owner.
    Policy,
    /// What clients are told of DNS.
    Dns,
    /// Key roles.
    Roles,
    /// A key for every device that has to join again.
    Keys,
    /// The API key of whoever calls the server, in its vault and deployed.
    Consumers,
    /// Subnet routers, over SSH outside the mesh.
    Routers,
    /// Other machines, the same way.
    Servers,
    /// What people have in their hands.
    Laptops,
    /// Approvals of routes that no policy gives.
    Routes,
    /// The checks of the stage after a reset.
    Checks,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "note", rename_all = "kebab-case")]
pub enum Outcome {
    /// Not tried yet.
    Pending,
    /// It is so.
    Done(String),
    /// Nothing is owed here: why.
    Skipped(String),
    /// Somebody else has to do something: what.
    Waiting(String),
    /// It was tried: why it did not come about.
    Failed(String),
}

/// How far a recovery has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runbook {
    /// What the server was found to be, once that was asked.
    pub diagnosis: Option<Diagnosis>,
    steps: Vec<(Step, Outcome)>,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 13] = [
        Self::Diagnose,
        Self::Restore,
        Self::Users,
        Self::Policy,
        Self::Dns,
        Self::Roles,
        Self::Keys,
        Self::Consumers,
        Self::Routers,
        Self::Servers,
        Self::Laptops,
        Self::Routes,
        Self::Checks,
    ];

    /// What it does, for people.
    pub fn summary(self) -> &'static str {
        match self {
            Step::Diagnose => "compare Noise key, database and devices with what they were",
            Step::Restore => "restore the backup",
            Step::Users => "make the people anew",
            Step::Policy => "put the policy in force",
            Step::Dns => "tell clients of DNS what they were told",
            Step::Roles => "make the key roles anew",
            Step::Keys => "make a key for each device that has to join again",
            Step::Consumers => "make the API key of consumers anew, in their vault and deployed",
            Step::Routers => "have subnet routers join again, over SSH",
            Step::Servers => "have other machines join again, over SSH",
            Step::Laptops => "have people's devices join again",
            Step::Routes => "approve the routes that were approved",
            Step::Checks => "run the checks of the stage after-reset",
        }
    }

    /// Whether nothing behind it makes sense before it is done.
    fn blocks(self) -> bool {
        self <= Step::Keys
    }

    /// Whether it puts something back that a whole server has.
    fn rebuilds(self) -> bool {
        (Step::Users..=Step::Laptops).contains(&self)
    }
}

impl Outcome {
    /// Whether nothing is owed any more.
    pub fn is_settled(&self) -> bool {
        matches!(self, Outcome::Done(_) | Outcome::Skipped(_))
    }
}

impl Default for Runbook {
    fn default() -> Self {
        Self { diagnosis: None, steps: Step::ALL.map(|step| (step, Outcome::Pending)).to_vec() }
    }
}

impl Runbook {
    /// Every step with what came of it.
    pub fn steps(&self) -> &[(Step, Outcome)] {
        &self.steps
    }

    /// The first step behind `after` that is owed, unless one that it needs is still owed. Begin with `None`.
    pub fn next(&self, after: Option<Step>) -> Option<Step> {
        let behind = |step: Step| after.is_none_or(|after| step > after);
        let blocked = self.steps.iter().find(|(step, o)| step.blocks() && !behind(*step) && !o.is_settled());
        let owed = self.steps.iter().find(|(step, o)| behind(*step) && !o.is_settled());
        if blocked.is_some() { None } else { owed.map(|(step, _)| *step) }
    }

    /// Whether nothing is owed any more.
    pub fn is_over(&self) -> bool {
        self.steps.iter().all(|(_, outcome)| outcome.is_settled())
    }

    /// What the server is found to be. Of what a whole server has nothing is put back; what was put back before stays so.
    pub fn diagnosed(&mut self, diagnosis: Diagnosis, has_backup: bool) {
        self.diagnosis = Some(diagnosis);
        let (words, lost) = (diagnosis.words(), diagnosis != Diagnosis::Intact);
        let restored = matches!(self.outcome(Step::Restore), Outcome::Done(_));
        match diagnosis {
            Diagnosis::Unreachable if !has_backup || restored => {
                self.record(Step::Diagnose, Outcome::Waiting(words.to_owned()));
                return;
            }
            _ => self.record(Step::Diagnose, Outcome::Done(words.to_owned())),
        }
        if !restored {
            let why = match (lost, has_backup) {
                (false, _) => "nothing was lost",
                (true, false) => "no backup was named: what can be made anew is",
                (true, true) => return,
            };
            self.record(Step::Restore, Outcome::Skipped(why.to_owned()));
        }
        for step in Step::ALL.into_iter().filter(|step| !lost && step.rebuilds()) {
            if matches!(self.outcome(step), Outcome::Pending) {
                self.record(step, Outcome::Skipped("the server has it".to_owned()));
            }
        }
    }

    /// What came of a step. After a restore it is asked again what the server is.
    pub fn record(&mut self, step: Step, outcome: Outcome) {
        let restored = step == Step::Restore && matches!(outcome, Outcome::Done(_));
        for (of, known) in &mut self.steps {
            if *of == step {
                *known = outcome.clone();
            }
            if *of == Step::Diagnose && restored {
                *known = Outcome::Pending;
            }
        }
    }

    /// What came of this one.
    pub fn outcome(&self, step: Step) -> &Outcome {
        let found = self.steps.iter().find(|(of, _)| *of == step);
        found.map_or(&Outcome::Pending, |(_, outcome)| outcome)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn done() -> Outcome {
        Outcome::Done(String::new())
    }

    /// Takes steps as a run does, each once; `of` says what comes of each.
    fn pass(book: &mut Runbook, mut of: impl FnMut(Step, &mut Runbook) -> Outcome) -> Vec<Step> {
        let (mut taken, mut last) = (Vec::new(), None);
        while let Some(step) = book.next(last) {
            taken.push(step);
            if step == Step::Diagnose {
                of(step, book);
            } else {
                let outcome = of(step, book);
                let stops = matches!(outcome, Outcome::Failed(_));
                book.record(step, outcome);
                if stops {
                    break;
                }
            }
            last = if step == Step::Restore && book.outcome(Step::Diagnose) == &Outcome::Pending {
                None
            } else {
                Some(step)
            };
            assert!(taken.len() <= 2 * Step::ALL.len(), "{taken:?}");
        }
        taken
    }

    #[test]
    fn a_backup_is_restored_before_anything_is_made_anew_and_then_nothing_is() {
        let mut book = Runbook::default();
        let mut found = [Diagnosis::AnotherServer, Diagnosis::Intact].into_iter();
        let taken = pass(&mut book, |step, book| {
            if step == Step::Diagnose {
                book.diagnosed(found.next().unwrap(), true);
            }
            done()
        });
        assert_eq!(taken, [Step::Diagnose, Step::Restore, Step::Diagnose, Step::Routes, Step::Checks]);
        assert!(book.is_over());
    }

    #[test]
    fn without_a_backup_everything_is_made_anew_in_order() {
        let mut book = Runbook::default();
        let taken = pass(&mut book, |step, book| {
            if step == Step::Diagnose {
                book.diagnosed(Diagnosis::Emptied, false);
            }
            done()
        });
        assert_eq!(taken[1..], Step::ALL[2..]);
        assert!(book.is_over() && matches!(book.outcome(Step::Restore), Outcome::Skipped(_)));
    }

    #[test]
    fn a_server_that_does_not_answer_is_waited_for_or_restored() {
        let mut book = Runbook::default();
        book.diagnosed(Diagnosis::Unreachable, false);
        assert_eq!(book.next(Some(Step::Diagnose)), None);
        let mut book = Runbook::default();
        book.diagnosed(Diagnosis::Unreachable, true);
        assert_eq!(book.next(Some(Step::Diagnose)), Some(Step::Restore));
    }

    proptest! {
        #[test]
        fn whatever_fails_a_later_run_goes_on_there_and_comes_to_an_end(failures in proptest::collection::vec(0..4u8, 0..60)) {
            let (mut book, mut failures) = (Runbook::default(), failures.into_iter());
            for _ in 0..80 {
                let settled: Vec<_> = book.steps().iter().filter(|(_, o)| o.is_settled()).map(|(s, _)| *s).collect();
                let taken = pass(&mut book, |step, book| {
                    if step == Step::Diagnose {
                        book.diagnosed(Diagnosis::Emptied, false);
                    }
                    match failures.next() {
                        Some(1) => Outcome::Failed(String::new()),
                        Some(2) => Outcome::Waiting(String::new()),
                        _ => done(),
                    }
                });
                prop_assert!(taken.iter().all(|step| !settled.contains(step)), "{taken:?} after {settled:?}");
                if book.is_over() {
                    return Ok(());
                }
            }
            prop_assert!(false, "it never ends: {:?}", book.steps());
        }
    }
}
