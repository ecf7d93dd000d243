//! What comes next.

use super::{Journal, State, Stuck};

/// What the executor sees before a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// SHA-256 of the file.
    pub file: String,
    /// Whether this process holds the secret of the new credential.
    pub secret_in_memory: bool,
}

/// What to do. Every one may be done twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Revoke whatever carries the rotation's id and make a credential that carries it.
    Create,
    /// Make the new bytes of the file, note their SHA-256, replace the file, read it back.
    Store,
    /// The file was replaced before the last death: read it back.
    NoteStored,
    /// Note that it begins, then give the consumer the new secret.
    Deploy,
    /// See the consumer work with the new secret.
    Verify,
    /// Note that it begins, then void the old credential.
    RevokeOld,
    /// See that nothing carries the rotation's id but the new credential.
    Finish,
    /// Void the new credential: its secret is lost, or it is not wanted.
    Discard,
    /// Note that it begins, then put the old file back.
    Restore,
    /// Give the consumer the old secret again.
    Redeploy,
    /// See the consumer work with the old secret.
    Reverify,
    /// Void the new credential, which the consumer does not hold any more.
    RevokeNew,
}

impl<P> Journal<P> {
    /// The next step, given what is seen.
    pub fn next(&self, seen: &Seen) -> Result<Step, Stuck> {
        if self.backwards { self.back(seen) } else { self.forward(seen) }
    }

    fn forward(&self, seen: &Seen) -> Result<Step, Stuck> {
        match self.state {
            State::Planned => self.untouched(seen).map(|()| Step::Create),
            State::Created | State::Storing if self.is_replaced(seen) => Ok(Step::NoteStored),
            State::Created | State::Storing => {
                self.untouched(seen)?;
                Ok(if seen.secret_in_memory { Step::Store } else { Step::Discard })
            }
            State::Stored | State::Deploying => Ok(Step::Deploy),
            State::Deployed => Ok(Step::Verify),
            State::Verified | State::Revoking => Ok(Step::RevokeOld),
            State::Revoked => Ok(Step::Finish),
            State::Done | State::Aborted => Err(Stuck::Over),
            State::Restoring | State::Restored | State::Redeployed | State::Reverified => {
                Err(Stuck::OutOfOrder)
            }
        }
    }

    fn back(&self, seen: &Seen) -> Result<Step, Stuck> {
        match self.state {
            State::Planned => Ok(Step::Discard),
            State::Created | State::Storing if self.is_replaced(seen) => Ok(Step::NoteStored),
            State::Created | State::Storing => self.untouched(seen).map(|()| Step::Discard),
            State::Stored | State::Deploying | State::Deployed | State::Verified => {
                if self.is_replaced(seen) { Ok(Step::Restore) } else { Err(Stuck::FileChanged) }
            }
            State::Restoring if self.is_replaced(seen) || seen.file == self.before => Ok(Step::Restore),
            State::Restoring => Err(Stuck::FileChanged),
            State::Restored if self.reached_consumer => Ok(Step::Redeploy),
            State::Restored => Ok(Step::RevokeNew),
            State::Redeployed => Ok(Step::Reverify),
            State::Reverified => Ok(Step::RevokeNew),
            State::Revoking | State::Revoked => Err(Stuck::TooLate),
            State::Done | State::Aborted => Err(Stuck::Over),
        }
    }

    fn is_replaced(&self, seen: &Seen) -> bool {
        self.after.as_deref() == Some(&*seen.file)
    }

    fn untouched(&self, seen: &Seen) -> Result<(), Stuck> {
        if seen.file == self.before { Ok(()) } else { Err(Stuck::FileChanged) }
    }
}
