//! The acceptance stories: what a mesh has to do, measured on a lab.
//!
//! Each story names what it proves: scenarios (`US`), edge cases (`E`), requirements (`FR`) and success criteria (`SC`)
//! of the specification in [`spec`].

mod deploy;
mod dns;
mod edge;
mod mesh;
mod network;
mod picture;
mod report;
mod run;
mod sabotage;
mod service;
mod soak;
pub mod spec;

use anyhow::Result;
use serde::Serialize;

use crate::bench::Bench;
use sabotage::Sabotage;
use soak::Soak;

pub use picture::{Kind, Path, picture};
pub use report::{Criterion, Outcome, Report, State, junit, stories_page};
pub use run::{Wish, run};

/// One story.
pub struct Story {
    pub id: &'static str,
    pub title: &'static str,
    /// What of the specification it proves.
    pub proves: &'static [&'static str],
    /// Whether it leaves the members' traffic alone, so that the soak may run beside it.
    pub calm: bool,
    /// What makes it fail, for the proof that it can.
    pub sabotage: Sabotage,
    /// What its failure then says: another failure proves nothing.
    pub symptom: &'static str,
    pub tell: fn(&mut Stage<'_>) -> Result<()>,
}

/// What a story works on, and where it puts what it measured.
pub struct Stage<'lab> {
    pub bench: Bench<'lab>,
    wish: Wish,
    /// Seconds from nothing to the lab, as its record says.
    built_in: f64,
    measures: Vec<Measure>,
    soak: Option<Soak>,
    sabotage: Option<Sabotage>,
}

/// A success criterion as it was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    pub criterion: &'static str,
    pub verdict: Verdict,
    /// What was found, in words.
    pub found: String,
    /// What is asked for.
    pub wanted: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Met,
    Missed,
    /// Never a pass.
    NotMeasured,
}

impl Stage<'_> {
    /// Notes a criterion as met or missed.
    fn measured(&mut self, criterion: &'static str, met: bool, found: String) {
        let verdict = if met { Verdict::Met } else { Verdict::Missed };
        self.note(criterion, verdict, found);
    }

    fn note(&mut self, criterion: &'static str, verdict: Verdict, found: String) {
        self.measures.push(Measure { criterion, verdict, found, wanted: spec::wanted(criterion) });
    }
}

/// All stories, in their order.
pub fn all() -> Vec<Story> {
    let loud = [mesh::stories(), edge::loud()];
    let calm = [
        network::stories(),
        service::stories(),
        dns::stories(),
        edge::stories(),
        deploy::stories(),
        soak::stories(),
    ];
    loud.into_iter().chain(calm).flatten().collect()
}
