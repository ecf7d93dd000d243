//! Telling stories one after the other, on a lab that is up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::picture::{Path, paths};
use super::report::{Outcome, Report, State};
use super::soak::{self, Soak};
use super::{Stage, Story, Verdict};
use crate::bench::Bench;
use crate::kept::{Kept, Trouble};
use crate::prerequisites::on_path;

/// How stories are told.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Go on after a story has failed.
    pub keep_going: bool,
    /// How long the soak lasts.
    pub soak: Duration,
    /// How often a fresh host joins.
    pub joins: u32,
    /// Spoil each story; it passes when it fails with its symptom.
    pub sabotage: bool,
}

/// Tells `stories` in their order on `kept`. `say` hears the story that begins, and each outcome.
pub fn run(
    kept: &Kept,
    stories: &[Story],
    wish: Wish,
    say: &dyn Fn(&Story, Option<&Outcome>),
) -> Result<Report> {
    if on_path("nginx").is_none() {
        let told = "the stories cannot be told, missing: `nginx` (package nginx)";
        return Err(Trouble::Machine(told.to_owned()).into());
    }
    let lab = kept.lab()?;
    let begun = Instant::now();
    let mut bench = Bench::found(&lab, &kept.record().tools)?;
    bench.restore().context("the lab is not as it was built, and could not be restored")?;
    let mut stage = Stage::new(bench, wish, kept.record().seconds);
    let (mut outcomes, mut stopped) = (Vec::new(), false);
    let soaks = !wish.sabotage && stories.iter().any(|story| story.id == soak::ID);
    for story in stories {
        if stopped {
            outcomes.push(Outcome::not_run(story));
            continue;
        }
        if soaks && story.calm && stage.soak.is_none() && !outcomes.iter().any(|o: &Outcome| o.id == soak::ID)
        {
            stage.soak = Some(Soak::start(&stage.bench)?);
        }
        say(story, None);
        let outcome = if wish.sabotage { stage.spoiled(story)? } else { stage.tell(story) };
        say(story, Some(&outcome));
        let failed = outcome.state == State::Failed;
        outcomes.push(outcome);
        stopped = failed && !wish.keep_going;
        if failed && !stopped {
            stage.bench.restore().context("the lab could not be restored after a failure")?;
        }
    }
    stage.soak = None;
    // a picture of a lab that a failure left behind shows what can be seen
    let paths: Vec<Path> = paths(&stage.bench);
    Ok(Report::new(kept.record().name.clone(), outcomes, paths, begun.elapsed().as_secs_f64()))
}

impl<'lab> Stage<'lab> {
    fn new(bench: Bench<'lab>, wish: Wish, built_in: f64) -> Self {
        Self { bench, wish, built_in, measures: Vec::new(), soak: None, sabotage: None }
    }

    fn tell(&mut self, story: &Story) -> Outcome {
        self.measures.clear();
        let begun = Instant::now();
        let told = catch_unwind(AssertUnwindSafe(|| (story.tell)(self)));
        let told = told.unwrap_or_else(|_| Err(anyhow!("the story panicked")));
        let missed = self.measures.iter().find(|measure| measure.verdict == Verdict::Missed);
        let told = told.and_then(|()| match missed {
            Some(measure) => Err(anyhow!("{} is missed: {}", measure.criterion, measure.found)),
            None => Ok(()),
        });
        Outcome::new(story, told, self.measures.clone(), begun.elapsed().as_secs_f64())
    }

    /// The story under its sabotage: good when it fails, and with what the sabotage brings about.
    fn spoiled(&mut self, story: &Story) -> Result<Outcome> {
        self.spoil(story.sabotage)?;
        let mut outcome = self.tell(story);
        self.sabotage = None;
        self.bench.restore().context("the lab could not be restored after a sabotage")?;
        outcome.measures.clear();
        let words = story.sabotage.words();
        let told = outcome.detail.take();
        outcome.state = match &told {
            Some(told) if told.contains(story.symptom) => State::Passed,
            _ => State::Failed,
        };
        outcome.detail = Some(match (told, outcome.state) {
            (Some(told), State::Passed) => format!("{words}: {told}"),
            (Some(told), _) => format!("{words}, and the story fails with something else: {told}"),
            (None, _) => format!("{words}, and the story passes all the same"),
        });
        Ok(outcome)
    }
}
