//! Is it safe to change something, is everything back after a reset, does a fresh installation work: what was seen in,
//! a verdict for every check out.
//!
//! Enters: evidence that somebody else gathered, texts of files, the moment. Leaves: verdicts, what follows from what,
//! reports. Must not know: networks, files, terminals. What could not be determined is never a pass.

mod catalogue;
pub mod check;
mod checklist;
mod fold;
mod report;
pub mod runbook;
mod verdict;
mod waiver;

pub use catalogue::{CATALOGUE, Check, Stage, UnknownCheck, find, of_stage};
pub use checklist::{CHECKLISTS, Checklist, Item};
pub use fold::{Outcome, fold};
pub use report::{Counts, Report, junit, sarif};
pub use verdict::{Evidence, Finding, Place, State, Verdict};
pub use waiver::{BadWaivers, Waived, Waiver, Waivers};
