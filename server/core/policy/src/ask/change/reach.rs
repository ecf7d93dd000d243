//! What a policy opens, by party.

use crate::ask::{ruling::Ruling, stage::Stage};

/// Rulings with those who take part in them.
pub(super) struct Reach<'a> {
    pub(super) rulings: Vec<Ruling<'a>>,
    from: Vec<Vec<u32>>,
    to: Vec<Vec<u32>>,
    own: u32,
}

impl<'a> Reach<'a> {
    pub(super) fn of(stage: &Stage, rulings: Vec<Ruling<'a>>) -> Self {
        let mut from = vec![Vec::new(); stage.parties.len()];
        let mut to = from.clone();
        for (at, ruling) in rulings.iter().enumerate() {
            ruling.sources.iter().for_each(|id| from[*id as usize].push(at as u32));
            ruling.destinations.iter().for_each(|id| to[*id as usize].push(at as u32));
        }
        Self { rulings, from, to, own: stage.own }
    }

    /// How many rulings have it as their source.
    pub(super) fn count(&self, from: u32) -> usize {
        self.from[from as usize].len()
    }

    /// The rulings between two parties, in their order.
    pub(super) fn on(&self, from: u32, to: u32) -> Vec<&Ruling<'a>> {
        self.on_any(from, &[to])
    }

    /// Those between devices of the same people in two parties: also what opens one's own.
    pub(super) fn on_own(&self, from: u32, to: u32) -> Vec<&Ruling<'a>> {
        self.on_any(from, &[to, self.own])
    }

    pub(super) fn reaches_own(&self, from: u32) -> bool {
        let own = &self.to[self.own as usize];
        !own.is_empty() && self.from[from as usize].iter().any(|at| own.binary_search(at).is_ok())
    }

    fn on_any(&self, from: u32, to: &[u32]) -> Vec<&Ruling<'a>> {
        let opens = |at: &&u32| to.iter().any(|to| self.to[*to as usize].binary_search(at).is_ok());
        let both = self.from[from as usize].iter().filter(opens);
        both.map(|at| &self.rulings[*at as usize]).collect()
    }
}
