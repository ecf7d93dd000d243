//! All checks side by side, with a line that says how far they are.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use indicatif::{ProgressBar, ProgressStyle};
use readiness::{Check, Outcome, Verdict};
use tokio::time::timeout;

use super::{facts::Facts, inputs::Inputs, judge};
use crate::talk::{Context, Failure};

/// What takes longer is given up.
const LONGEST: Duration = Duration::from_secs(30);

/// The outcome of each, in no order.
pub async fn all(
    context: &Context,
    inputs: &Inputs,
    checks: &[&'static Check],
) -> Result<Vec<Outcome>, Failure> {
    let facts = Facts::new(context, inputs)?;
    let bar = progress(context, checks.len());
    let mut running: FuturesUnordered<_> = checks.iter().map(|check| one(&facts, check)).collect();
    let mut outcomes = Vec::new();
    while let Some(outcome) = running.next().await {
        bar.inc(1);
        bar.set_message(outcome.id);
        outcomes.push(outcome);
    }
    bar.finish_and_clear();
    Ok(outcomes)
}

async fn one(facts: &Facts<'_>, check: &'static Check) -> Outcome {
    let begun = Instant::now();
    let verdict = timeout(LONGEST, judge::judge(facts, check.id)).await;
    let verdict =
        verdict.unwrap_or_else(|_| Verdict::unknown(format!("not done within {} s", LONGEST.as_secs())));
    Outcome::new(check, verdict, begun.elapsed().as_millis() as u64)
}

fn progress(context: &Context, many: usize) -> ProgressBar {
    if context.screen().json || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(many as u64);
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} {wide_msg}") {
        bar.set_style(style);
    }
    bar
}
