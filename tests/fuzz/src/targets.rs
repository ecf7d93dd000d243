//! What is fuzzed. A target makes inputs, runs one, and says which law it breaks.

mod bodies;
mod broken;
mod case;
mod derp;
mod names;
mod noise;
mod policy;
mod stun;
mod world;

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
};

use crate::{Dice, mutate, pool::Pool};

pub use broken::broken;

/// What an input led to, roughly: inputs with a new one are worth keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome(u64);

impl Outcome {
    /// An outcome for everything that is equal.
    pub fn of(what: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// Something that takes what strangers send.
pub trait Target: Send + Sync {
    fn name(&self) -> &'static str;
    /// One line for people.
    fn about(&self) -> &'static str;
    /// Share of the time.
    fn weight(&self) -> u32 {
        1
    }
    /// Bytes of an input, at most.
    fn longest(&self) -> usize {
        16 << 10
    }
    /// Inputs to begin with; good ones among them.
    fn seeds(&self) -> Vec<Vec<u8>>;
    /// The next input.
    fn next(&self, pool: &Pool, dice: &mut Dice) -> Vec<u8> {
        mutate::damaged(pool, dice)
    }
    /// Runs an input; the error names the law that it breaks.
    fn run(&self, input: &[u8]) -> Result<Outcome, String>;
}

/// All of them.
pub fn targets() -> Vec<Box<dyn Target>> {
    vec![
        Box::new(noise::Noise),
        Box::new(derp::Derp),
        Box::new(stun::Stun),
        Box::new(policy::Policies::new()),
        Box::new(case::Cases),
        Box::new(bodies::Bodies),
        Box::new(world::Worlds),
        Box::new(names::Names),
    ]
}

/// Ok when it holds, otherwise the law.
fn law(holds: bool, text: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(text()) }
}
