//! From scratch, and at the first try.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::Result;

use super::sabotage::Sabotage;
use super::{Stage, Story};
use crate::bench::{Bench, SPARE};

const SCRATCH_LIMIT_S: f64 = 15.0 * 60.0;
const PORT: u16 = 7008;
const PATIENCE: Duration = Duration::from_secs(15);
const FIRST_TRY: f64 = 0.95;

pub(super) fn stories() -> Vec<Story> {
    vec![
        Story {
            id: "deploy.scratch",
            title: "the lab was built from nothing to a joined mesh in time",
            proves: &["SC-007"],
            calm: true,
            sabotage: Sabotage::SlowBuild,
            symptom: "SC-007 is missed",
            tell: scratch,
        },
        Story {
            id: "deploy.first_try",
            title: "a fresh host joins and gets a connection at the first try, again and again",
            proves: &["SC-008"],
            calm: true,
            sabotage: Sabotage::PolicyOpensOnePort,
            symptom: "SC-008 is missed: 0 of",
            tell: first_try,
        },
    ]
}

fn scratch(stage: &mut Stage<'_>) -> Result<()> {
    let slow = if stage.sabotaged(Sabotage::SlowBuild) { SCRATCH_LIMIT_S } else { 0.0 };
    let seconds = stage.built_in + slow;
    let found = format!("{seconds:.1} s from `lab up` to a joined mesh, with clients built before");
    stage.measured("SC-007", seconds > 0.0 && seconds < SCRATCH_LIMIT_S, found);
    Ok(())
}

fn first_try(stage: &mut Stage<'_>) -> Result<()> {
    let tries = stage.wish.joins.max(1);
    let mut failures = Vec::new();
    for number in 1..=tries {
        if let Err(why) = one(&stage.bench) {
            failures.push(format!("try {number}: {why:#}"));
        }
    }
    let good = tries as usize - failures.len();
    let mut found = format!("{good} of {tries}");
    if let Some(first) = failures.first() {
        found.push_str(&format!("; {first}"));
    }
    stage.measured("SC-008", good as f64 / f64::from(tries) >= FIRST_TRY, found);
    Ok(())
}

/// Joins a fresh host and opens one connection from it to a member, without a second try at either.
fn one(bench: &Bench<'_>) -> Result<()> {
    let target = (bench.ipv4("a")?, PORT);
    let _listener = bench.host("a")?.in_network(|| TcpListener::bind(target))??;
    let spare = bench.spare(SPARE)?;
    let connected = bench.host(SPARE)?.in_network(|| TcpStream::connect_timeout(&target.into(), PATIENCE))?;
    bench.retire(spare)?;
    connected.map(drop).map_err(Into::into)
}
