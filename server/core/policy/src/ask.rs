//! Questions about a policy that people ask: who gains and who loses by a change, why something is open or closed, who
//! reaches what.
//!
//! The answers are about *parties*: devices that no rule tells apart, networks, the internet. Beside the devices that
//! are there, parties are imagined: a device with each tag, one of each person. Work and answers are bounded.

mod change;
mod ends;
mod explain;
mod matrix;
mod nearest;
mod party;
mod place;
mod ruling;
mod shift;
mod source;
mod stage;
mod traffic;

use crate::{
    Document, PolicyError, Roster,
    answer::Tailnet,
    policy::{Content, Policy},
};

pub use change::{Difference, MOST_PAIRS};
pub use explain::{Admission, Explanation, Question, Said};
pub use matrix::{Cell, MOST_ROWS, Matrix, Row};
pub use nearest::Near;
pub use party::Side;
pub use shift::{Kind, Shift, Whose};

/// The question needs more work than is done for one: too many rules and parties that differ from one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the policy tells too many devices apart for this question")]
pub struct TooLarge;

/// Steps that are left for an answer.
#[derive(Debug)]
pub(crate) struct Work(u64);

impl Work {
    pub(crate) fn new() -> Self {
        Self(200_000_000)
    }

    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), TooLarge> {
        self.0 = self.0.checked_sub(steps as u64).ok_or(TooLarge)?;
        Ok(())
    }
}

impl Document {
    /// How many tests the policy has of itself.
    pub fn tests(&self) -> usize {
        self.content().trials.len() + self.content().logins.len()
    }

    /// Runs the policy's own tests; each failure says where the test stands, what was expected and what was found.
    pub fn try_tests(&self, roster: &Roster) -> Vec<PolicyError> {
        Tailnet { policy: self.content(), roster, is_open: false }.failures()
    }

    /// People and devices as the policy speaks of them: a device of each person and one with each tag.
    pub fn imagined_roster(&self) -> Roster {
        party::imagined_roster(self.content())
    }
}

impl From<&Policy> for Document {
    fn from(policy: &Policy) -> Self {
        Self::of(policy.text(), policy.content().clone())
    }
}

/// A policy with its text.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) content: &'a Content,
    pub(crate) text: &'a str,
}

impl<'a> From<&'a Document> for Asked<'a> {
    fn from(document: &'a Document) -> Self {
        Self { content: document.content(), text: document.text() }
    }
}
