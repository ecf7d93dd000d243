//! Inputs worth another try: the seeds, and whatever led to something new.

use std::collections::BTreeSet;

use crate::{Dice, Outcome};

/// Most inputs that are kept beside the seeds, and their bytes in all.
const MOST: usize = 20_000;
const MOST_BYTES: usize = 64 << 20;

/// Parents of the next inputs.
#[derive(Debug, Default)]
pub struct Pool {
    inputs: Vec<Vec<u8>>,
    bytes: usize,
    outcomes: BTreeSet<Outcome>,
}

impl Pool {
    /// Keeps an input whose outcome was not met before.
    pub fn met(&mut self, input: &[u8], outcome: Outcome) {
        let room = self.inputs.len() < MOST && self.bytes + input.len() <= MOST_BYTES;
        if self.outcomes.insert(outcome) && room {
            self.bytes += input.len();
            self.inputs.push(input.to_vec());
        }
    }

    /// Some input; later ones are likelier, since they are where something new was found last.
    pub fn pick(&self, dice: &mut Dice) -> &[u8] {
        let recent = self.inputs.len().div_ceil(4);
        let at = if dice.once_in(3) {
            self.inputs.len() - recent + dice.below(recent)
        } else {
            dice.below(self.inputs.len())
        };
        self.inputs.get(at).map_or(&[], Vec::as_slice)
    }

    /// How many different outcomes there were.
    pub fn outcomes(&self) -> usize {
        self.outcomes.len()
    }
}
