//! How often a machine may call: so much that no office of clients ever notices, so little that none of them is felt.
//!
//! Who is over the share for a moment is held, for some clients do not survive a refusal; who is over it for long is told
//! when to come back. Machines without a node here share by where they come from.

use std::{sync::Arc, time::Duration};

use super::Refused;
use crate::{
    doors::Doors,
    quota::{Party, Quota, Rate, Spent},
    ts2021::Caller,
};

/// Longer than a client's own pause after a failure, shorter than its patience.
const HOLD: Duration = Duration::from_secs(5);
/// Bytes of requests that are held: in all, and of one machine.
const HELD: usize = 16 << 20;
const HELD_EACH: usize = 2 << 20;

/// The shares of all machines.
#[derive(Debug)]
pub(super) struct Pace {
    calls: Rate,
    registrations: Rate,
    /// Calls of those who have no node yet.
    strangers: Rate,
    updates: Rate,
    /// Each is an entry of the log.
    descriptions: Rate,
    maps: Rate,
    held: Arc<Quota>,
}

impl Default for Pace {
    fn default() -> Self {
        let millis = Duration::from_millis;
        Self {
            calls: Rate::new(millis(10), 1000).holding(HOLD),
            registrations: Rate::new(millis(1000), 100).holding(HOLD),
            strangers: Rate::new(millis(100), 200),
            updates: Rate::new(millis(100), 400).holding(HOLD),
            descriptions: Rate::new(millis(10_000), 100).holding(HOLD),
            maps: Rate::new(millis(1000), 100).holding(HOLD),
            held: Quota::new(HELD, HELD_EACH),
        }
    }
}

impl Pace {
    /// Before anything of a request is read.
    pub(super) async fn call(&self, doors: &Doors, caller: Caller) -> Result<(), Refused> {
        let mut turn = self.calls.turn(Party::Machine(caller.machine)).await;
        if turn.is_ok() && !doors.has_node(caller.machine) {
            turn = self.strangers.turn(Party::at(caller.remote)).await;
        }
        turn.map_err(|spent| Refused::later(doors, caller, spent))
    }

    /// Before a registration is looked at.
    pub(super) async fn registration(
        &self,
        doors: &Doors,
        caller: Caller,
        bytes: usize,
    ) -> Result<(), Refused> {
        self.held(&self.registrations, doors, caller, bytes).await
    }

    /// Before an update is decided.
    pub(super) async fn update(&self, doors: &Doors, caller: Caller, bytes: usize) -> Result<(), Refused> {
        self.held(&self.updates, doors, caller, bytes).await
    }

    /// Before a device's new description of itself is stored.
    pub(super) async fn description(
        &self,
        doors: &Doors,
        caller: Caller,
        bytes: usize,
    ) -> Result<(), Refused> {
        self.held(&self.descriptions, doors, caller, bytes).await
    }

    /// Before a whole map is made.
    pub(super) async fn map(&self, doors: &Doors, caller: Caller, bytes: usize) -> Result<(), Refused> {
        self.held(&self.maps, doors, caller, bytes).await
    }

    async fn held(&self, rate: &Rate, doors: &Doors, caller: Caller, bytes: usize) -> Result<(), Refused> {
        let party = Party::Machine(caller.machine);
        if rate.admits(party).is_ok() {
            return Ok(());
        }
        let mut held = self.held.none(party);
        if !held.grow(bytes) {
            return Err(Refused::later(doors, caller, Spent(HOLD)));
        }
        rate.turn(party).await.map_err(|spent| Refused::later(doors, caller, spent))
    }
}
