//! A rotation as a journal: where it stands, what comes next, how to go back. It holds no secret.
//!
//! The law: whoever executes the steps in the order that [`Journal::next`] gives, and saves the journal after each, may
//! be killed at any instant; the consumer's credential is valid all the time, and in the end no other one is left.

mod step;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

pub use step::{Seen, Step};

/// How far a rotation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing was done, or what was done left a credential that nobody holds.
    Planned,
    /// The new credential exists; its secret is in the memory of one process.
    Created,
    /// The file is about to be replaced.
    Storing,
    /// The file holds the new secret; it was read back.
    Stored,
    /// The consumer is about to be given the new secret.
    Deploying,
    /// The consumer should hold the new secret.
    Deployed,
    /// The consumer was seen working with the new secret.
    Verified,
    /// The old credential is about to be voided: there is no way back.
    Revoking,
    /// The old credential is void.
    Revoked,
    /// Nothing is left to do.
    Done,
    /// The old file is about to come back.
    Restoring,
    /// The old file is back, the consumer may hold the new secret.
    Restored,
    /// The consumer should hold the old secret again.
    Redeployed,
    /// The consumer was seen working with the old secret again.
    Reverified,
    /// Gone back to where it began; the new credential is void.
    Aborted,
}

/// A rotation. `P` is what its executor wants to remember.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal<P> {
    /// Of this shape.
    pub v: u32,
    /// Chosen at random; the new credential carries it, so that a lost one is found.
    pub id: String,
    pub state: State,
    /// Whether it is being undone.
    pub backwards: bool,
    /// The credential that the consumer held before, when there is one that can be revoked.
    pub old: Option<String>,
    /// The credential that was made.
    pub new: Option<String>,
    /// SHA-256 of the file before.
    pub before: String,
    /// SHA-256 of the file after.
    pub after: Option<String>,
    /// Whether the consumer may have been given the new secret.
    pub reached_consumer: bool,
    pub plan: P,
}

/// What was done, to be saved at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A credential was made; `None` when nobody but the file knows it.
    Created {
        new: Option<String>,
    },
    /// The file will have this SHA-256 in a moment.
    Storing {
        after: String,
    },
    Stored,
    Deploying,
    Deployed,
    Verified,
    RevokingOld,
    OldRevoked,
    /// The new credential is void, and nobody ever held it.
    Discarded,
    Restoring,
    Restored,
    Redeployed,
    Reverified,
    NewRevoked,
    Finished,
}

/// Why a rotation does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    #[error("somebody else changed the file since the rotation began")]
    FileChanged,
    #[error("the old credential is or may be void already: the way leads forward only")]
    TooLate,
    #[error("it is over")]
    Over,
    #[error("this cannot follow on what was done before")]
    OutOfOrder,
}

/// SHA-256 of a file's bytes, which are ciphertext where they are secret.
pub fn fingerprint(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

impl<P> Journal<P> {
    /// Before the first step.
    pub fn plan(id: String, old: Option<String>, before: String, plan: P) -> Self {
        let (state, backwards) = (State::Planned, false);
        Self {
            v: 1,
            id,
            state,
            backwards,
            old,
            new: None,
            before,
            after: None,
            reached_consumer: false,
            plan,
        }
    }
    /// Whether nothing is left to do.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Aborted)
    }
    /// Turns it around. What was done is undone by the steps that follow.
    pub fn abort(&mut self) -> Result<(), Stuck> {
        match self.state {
            State::Revoking | State::Revoked => Err(Stuck::TooLate),
            State::Done | State::Aborted => Err(Stuck::Over),
            _ => {
                self.backwards = true;
                Ok(())
            }
        }
    }
    /// Notes what was done.
    pub fn record(&mut self, fact: Fact) -> Result<(), Stuck> {
        let state = self.after_fact(&fact).ok_or(Stuck::OutOfOrder)?;
        match fact {
            Fact::Created { new } => self.new = new,
            Fact::Storing { after } => self.after = Some(after),
            Fact::Deploying => self.reached_consumer = true,
            Fact::Discarded => (self.new, self.after) = (None, None),
            _ => {}
        }
        self.state = state;
        Ok(())
    }

    /// The state that a fact leads to; nothing when it cannot follow.
    fn after_fact(&self, fact: &Fact) -> Option<State> {
        use State as S;
        Some(match (fact, self.state, self.backwards) {
            (Fact::Created { .. }, S::Planned, false) => S::Created,
            (Fact::Storing { .. }, S::Created | S::Storing, false) => S::Storing,
            (Fact::Stored, S::Storing, _) => S::Stored,
            (Fact::Deploying, S::Stored | S::Deploying, false) => S::Deploying,
            (Fact::Deployed, S::Deploying, false) => S::Deployed,
            (Fact::Verified, S::Deployed, false) => S::Verified,
            (Fact::RevokingOld, S::Verified | S::Revoking, false) => S::Revoking,
            (Fact::OldRevoked, S::Revoking, false) => S::Revoked,
            (Fact::Finished, S::Revoked, false) => S::Done,
            (Fact::Discarded, S::Planned | S::Created | S::Storing, false) => S::Planned,
            (Fact::Discarded, S::Planned | S::Created | S::Storing, true) => S::Aborted,
            (Fact::Restoring, S::Stored | S::Deploying | S::Deployed | S::Verified | S::Restoring, true) => {
                S::Restoring
            }
            (Fact::Restored, S::Restoring, true) => S::Restored,
            (Fact::Redeployed, S::Restored, true) => S::Redeployed,
            (Fact::Reverified, S::Redeployed, true) => S::Reverified,
            (Fact::NewRevoked, S::Restored, true) if !self.reached_consumer => S::Aborted,
            (Fact::NewRevoked, S::Reverified, true) => S::Aborted,
            _ => return None,
        })
    }
}
