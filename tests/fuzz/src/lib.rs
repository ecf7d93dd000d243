//! Strangers' bytes against every parser and against `decide`: seeds, what mutates them, what is run on them and what
//! must hold. Coverage is not measured; what an input led to (its outcome) steers instead.
//!
//! A target runs in a process of its own, so that a stack overflow, an abort, too much memory or an endless loop is a
//! finding like any other.

mod campaign;
mod dice;
mod finding;
mod mutate;
mod pool;
mod shift;
mod shrink;
mod targets;
mod watch;

pub use campaign::{Limits, campaign, judge};
pub use dice::Dice;
pub use finding::Finding;
pub use shift::{Shift, Verdict, alone, inside, shift};
pub use targets::{Outcome, Target, broken, targets};
