//! The law of rotation: kill it at any instant, as often as you like; resume; the consumer is never without a valid
//! credential, and in the end its credential is the only one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use secrets::journal::{Fact, Journal, Seen, State, Step};

type Credential = u32;

/// A server, a file and a consumer.
struct World {
    next: Credential,
    valid: BTreeSet<Credential>,
    /// Those that carry the rotation's id.
    marked: BTreeSet<Credential>,
    file: Credential,
    consumer: Credential,
    disk: Journal<()>,
}

/// The process that executes; dies with its memory.
struct Process {
    secret: Option<Credential>,
    /// Effects and saves until it dies; none when it lives.
    fuse: Option<u32>,
}

struct Killed;

impl Process {
    /// One effect on the world, or one save: the process may die in front of each.
    fn tick(&mut self) -> Result<(), Killed> {
        match &mut self.fuse {
            Some(0) => Err(Killed),
            Some(n) => {
                *n -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

const OLD: Credential = 1;

impl World {
    fn new() -> Self {
        let disk = Journal::plan("r-1".into(), Some(OLD.to_string()), OLD.to_string(), ());
        Self { next: 2, valid: [OLD].into(), marked: BTreeSet::new(), file: OLD, consumer: OLD, disk }
    }
    fn law(&self) {
        assert!(self.valid.contains(&self.consumer), "the consumer is locked out in {:?}", self.disk.state);
    }
    fn save(&mut self, process: &mut Process, fact: Fact) -> Result<(), Killed> {
        process.tick()?;
        self.disk.record(fact).unwrap();
        Ok(())
    }
    /// Runs until it is over or dead.
    fn run(&mut self, process: &mut Process) -> Result<(), Killed> {
        while !self.disk.is_over() {
            let seen = Seen { file: self.file.to_string(), secret_in_memory: process.secret.is_some() };
            let step = self.disk.next(&seen).unwrap();
            self.perform(step, process)?;
            self.law();
        }
        Ok(())
    }
    fn perform(&mut self, step: Step, process: &mut Process) -> Result<(), Killed> {
        let new = |world: &Self| world.disk.new.as_ref().map(|n| n.parse::<Credential>().unwrap());
        match step {
            Step::Create => {
                process.tick()?;
                self.void_marked();
                process.tick()?;
                let made = self.next;
                self.next += 1;
                self.valid.insert(made);
                self.marked.insert(made);
                process.secret = Some(made);
                self.save(process, Fact::Created { new: Some(made.to_string()) })
            }
            Step::Store => {
                let secret = process.secret.unwrap();
                self.save(process, Fact::Storing { after: secret.to_string() })?;
                process.tick()?;
                self.file = secret;
                self.save(process, Fact::Stored)
            }
            Step::NoteStored => self.save(process, Fact::Stored),
            Step::Deploy => {
                self.save(process, Fact::Deploying)?;
                process.tick()?;
                self.consumer = self.file;
                self.law();
                self.save(process, Fact::Deployed)
            }
            Step::Verify => {
                assert_eq!(Some(self.consumer), new(self));
                self.save(process, Fact::Verified)
            }
            Step::RevokeOld => {
                self.save(process, Fact::RevokingOld)?;
                process.tick()?;
                self.valid.remove(&OLD);
                self.law();
                self.save(process, Fact::OldRevoked)
            }
            Step::Finish => self.save(process, Fact::Finished),
            Step::Discard => {
                process.tick()?;
                self.void_marked();
                process.secret = None;
                self.save(process, Fact::Discarded)
            }
            Step::Restore => {
                self.save(process, Fact::Restoring)?;
                process.tick()?;
                self.file = OLD;
                self.save(process, Fact::Restored)
            }
            Step::Redeploy => {
                process.tick()?;
                self.consumer = self.file;
                self.save(process, Fact::Redeployed)
            }
            Step::Reverify => {
                assert_eq!(self.consumer, OLD);
                self.save(process, Fact::Reverified)
            }
            Step::RevokeNew => {
                process.tick()?;
                self.void_marked();
                self.law();
                self.save(process, Fact::NewRevoked)
            }
        }
    }
    fn void_marked(&mut self) {
        let marked = std::mem::take(&mut self.marked);
        self.valid.retain(|c| !marked.contains(c));
    }
}

proptest! {
    #[test]
    fn a_rotation_survives_any_kills(fuses in prop::collection::vec(0u32..12, 0..8)) {
        let mut world = World::new();
        for fuse in fuses {
            let _ = world.run(&mut Process { secret: None, fuse: Some(fuse) });
            world.law();
        }
        let ended = world.run(&mut Process { secret: None, fuse: None }).is_ok();
        prop_assert!(ended);
        prop_assert_eq!(world.disk.state, State::Done);
        prop_assert_eq!(world.valid, BTreeSet::from([world.consumer]));
        prop_assert_eq!(world.file, world.consumer);
        prop_assert_ne!(world.consumer, OLD);
    }

    #[test]
    fn so_does_going_back(before in 0u32..24, fuses in prop::collection::vec(0u32..12, 0..8)) {
        let mut world = World::new();
        let _ = world.run(&mut Process { secret: None, fuse: Some(before) });
        let turned = world.disk.abort();
        for fuse in fuses {
            let _ = world.run(&mut Process { secret: None, fuse: Some(fuse) });
            world.law();
        }
        let ended = world.run(&mut Process { secret: None, fuse: None }).is_ok();
        prop_assert!(ended);
        prop_assert_eq!(&world.valid, &BTreeSet::from([world.consumer]));
        prop_assert_eq!(world.file, world.consumer);
        let back = turned.is_ok();
        prop_assert_eq!(world.disk.state, if back { State::Aborted } else { State::Done });
        prop_assert_eq!(world.consumer == OLD, back);
    }
}

#[test]
fn a_file_that_somebody_else_changed_stops_it() {
    let journal = Journal::plan("r-1".into(), None, "a".into(), ());
    let seen = Seen { file: "b".into(), secret_in_memory: false };
    assert!(journal.next(&seen).is_err());
}
