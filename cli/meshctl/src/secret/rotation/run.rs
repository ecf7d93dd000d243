//! Executes steps until a rotation is over or waits for somebody.

use ident::Secret;
use secrets::journal::{Fact, Journal, Seen, State, Step, fingerprint};

use super::{Plan, Shelf, consumer::New, shelf::stuck};
use crate::{
    secret::place::{self, Place},
    talk::{Context, Failure},
};

/// Goes on until it is over; true when it waits for a deployment that is not ours. `began` is the state in which this
/// process found it.
pub async fn run(context: &Context, shelf: &mut Shelf, began: State) -> Result<bool, Failure> {
    same_server(context, &shelf.journal).await?;
    let mut run = Run { context, secret: None, began };
    while !shelf.journal.is_over() {
        let file = fingerprint(&place::read(&shelf.journal.plan.subject.file)?);
        let seen = Seen { file, secret_in_memory: run.secret.is_some() };
        let step = shelf.journal.next(&seen).map_err(|e| stuck(&shelf.journal, e))?;
        if run.perform(shelf, step).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Credentials are numbered by each server: what began at one does not go on at another.
pub async fn same_server(context: &Context, journal: &Journal<Plan>) -> Result<(), Failure> {
    let plan = &journal.plan;
    if journal.is_over() || plan.kind.is_at(context, plan.server.as_deref()).await? {
        return Ok(());
    }
    Err(Failure::failed(format!("rotation {} began at another server", journal.id))
        .code("other_server")
        .hint("--server or --socket names the one where it began"))
}

struct Run<'a> {
    context: &'a Context,
    /// The new secret, as long as this process lives.
    secret: Option<Secret<Vec<u8>>>,
    began: State,
}

impl Run<'_> {
    /// One step; true when it waits.
    async fn perform(&mut self, shelf: &mut Shelf, step: Step) -> Result<bool, Failure> {
        match step {
            Step::Create => self.create(shelf).await?,
            Step::Store => self.store(shelf).await?,
            Step::NoteStored => self.note_stored(shelf).await?,
            Step::Deploy => return self.deploy(shelf),
            Step::Verify => self.verify(shelf).await?,
            Step::RevokeOld => self.revoke_old(shelf).await?,
            Step::Finish => {
                self.sweep(shelf, shelf.journal.new.clone()).await?;
                shelf.record(Fact::Finished)?;
            }
            Step::Discard => {
                self.sweep(shelf, None).await?;
                self.secret = None;
                shelf.record(Fact::Discarded)?;
            }
            Step::Restore => restore(shelf)?,
            Step::Redeploy => return self.redeploy(shelf),
            Step::Reverify => {
                let plan = &shelf.journal.plan;
                plan.consumer.verify(self.context, &plan.kind, None, &plan.base).await?;
                shelf.record(Fact::Reverified)?;
            }
            Step::RevokeNew => {
                self.sweep(shelf, None).await?;
                shelf.record(Fact::NewRevoked)?;
            }
        }
        Ok(false)
    }

    async fn create(&mut self, shelf: &mut Shelf) -> Result<(), Failure> {
        self.sweep(shelf, None).await?;
        let journal = &shelf.journal;
        let made = journal.plan.kind.create(self.context, &journal.id, journal.old.as_deref()).await?;
        shelf.record(Fact::Created { new: made.id })?;
        self.secret = Some(made.secret);
        Ok(())
    }

    async fn store(&mut self, shelf: &mut Shelf) -> Result<(), Failure> {
        let plan = shelf.journal.plan.clone();
        let Some(secret) = &self.secret else { return Ok(()) };
        let mut place = Place::open(&plan.subject.file)?;
        if fingerprint(&place.bytes) != shelf.journal.before {
            return Err(stuck(&shelf.journal, secrets::journal::Stuck::FileChanged));
        }
        let new = plan.subject.target(&plan.base).with(self.context, &place.bytes, secret)?;
        let new = new.ok_or_else(|| Failure::failed("the new value is the old one").code("same_value"))?;
        shelf.record(Fact::Storing { after: fingerprint(&new) })?;
        place.replace(new)?;
        self.note_stored(shelf).await
    }

    /// Reads the value back and sees that it is the new one.
    async fn note_stored(&self, shelf: &mut Shelf) -> Result<(), Failure> {
        let value = self.stored(shelf)?;
        let id = shelf.journal.plan.kind.identify(self.context, &value).await?;
        let same = self.secret.as_ref().is_none_or(|s| s.expose() == value.expose());
        if !same || id != shelf.journal.new {
            return Err(Failure::failed("the file does not hold the new credential").code("read_back"));
        }
        shelf.record(Fact::Stored)
    }

    fn deploy(&self, shelf: &mut Shelf) -> Result<bool, Failure> {
        let by_hand = shelf.journal.plan.consumer.deploy.is_none();
        if by_hand && !matches!(self.began, State::Stored | State::Deploying) {
            return Ok(true);
        }
        shelf.record(Fact::Deploying)?;
        shelf.journal.plan.consumer.deploy(&shelf.journal.plan.base, shelf.held()?)?;
        shelf.record(Fact::Deployed)?;
        Ok(false)
    }

    fn redeploy(&self, shelf: &mut Shelf) -> Result<bool, Failure> {
        let by_hand = shelf.journal.plan.consumer.deploy.is_none();
        if by_hand && self.began != State::Restored {
            return Ok(true);
        }
        shelf.journal.plan.consumer.deploy(&shelf.journal.plan.base, shelf.held()?)?;
        shelf.record(Fact::Redeployed)?;
        Ok(false)
    }

    async fn verify(&self, shelf: &mut Shelf) -> Result<(), Failure> {
        let value = self.stored(shelf)?;
        let plan = &shelf.journal.plan;
        let new = New { id: shelf.journal.new.as_deref(), value: &value };
        plan.consumer.verify(self.context, &plan.kind, Some(new), &plan.base).await?;
        shelf.record(Fact::Verified)
    }

    /// The file is read once more: what is voided must not be what it holds.
    async fn revoke_old(&self, shelf: &mut Shelf) -> Result<(), Failure> {
        let value = self.stored(shelf)?;
        let kind = &shelf.journal.plan.kind;
        if kind.identify(self.context, &value).await? != shelf.journal.new {
            return Err(stuck(&shelf.journal, secrets::journal::Stuck::FileChanged));
        }
        shelf.record(Fact::RevokingOld)?;
        let plan = &shelf.journal.plan;
        plan.kind.revoke(self.context, shelf.journal.old.as_deref(), &plan.base).await?;
        shelf.record(Fact::OldRevoked)
    }

    async fn sweep(&self, shelf: &Shelf, keep: Option<String>) -> Result<(), Failure> {
        shelf.journal.plan.kind.sweep(self.context, &shelf.journal.id, keep.as_deref()).await
    }

    fn stored(&self, shelf: &Shelf) -> Result<Secret<Vec<u8>>, Failure> {
        let plan = &shelf.journal.plan;
        plan.subject.value(self.context, &place::read(&plan.subject.file)?, &plan.base)
    }
}

fn restore(shelf: &mut Shelf) -> Result<(), Failure> {
    let before = shelf.before()?;
    shelf.record(Fact::Restoring)?;
    let mut place = Place::open(&shelf.journal.plan.subject.file)?;
    let there = fingerprint(&place.bytes);
    if shelf.journal.after.as_deref() != Some(&*there) && there != shelf.journal.before {
        return Err(stuck(&shelf.journal, secrets::journal::Stuck::FileChanged));
    }
    if place.bytes != before {
        place.replace(before)?;
    }
    shelf.record(Fact::Restored)
}
