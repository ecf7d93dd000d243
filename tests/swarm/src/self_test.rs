//! `swarm self-test`: whether swarm notices what a broken server would do.

pub mod tamper;

use std::{path::Path, time::Duration};

use anyhow::Result;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    fleet::{Arrival, Fleet, Plan},
    report::{Report, Row, row},
    self_test::tamper::{Fault, Tamper},
    target::Target,
    topology::Topology,
};

const DELIVERED_WITHIN: Duration = Duration::from_secs(5);

/// What was put in, and whether that was noticed.
#[derive(Debug, Serialize)]
pub struct Findings {
    findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Finding {
    /// `none` is the trial without a fault, which must be found right.
    fault: &'static str,
    /// Whether the device it was put into is a full model.
    witness: bool,
    models_wrong: usize,
    errors: u64,
    /// Whether that is what should be found.
    right: bool,
}

/// Every fault, put into a full model and into a client that only looks for changes, each on a fresh server, all at once.
pub async fn run(program: &Path, devices: u32) -> Result<Findings> {
    let devices = devices as usize;
    let mut trials = JoinSet::new();
    for (name, fault) in [
        ("none", None),
        ("drop", Some(Fault::Drop)),
        ("repeat", Some(Fault::Repeat)),
        ("alter", Some(Fault::Alter)),
    ] {
        for witness in [true, false] {
            let tamper = fault.map(|fault| Tamper::new(0, fault));
            let witnesses = if witness { devices } else { devices / 2 };
            let plan = Plan { devices, witnesses, tamper, ..Plan::default() };
            let (place, program) = (trials.len(), program.to_owned());
            trials.spawn(async move { anyhow::Ok((place, trial(&program, plan, name, witness).await?)) });
        }
    }
    let mut found = Vec::new();
    while let Some(tried) = trials.join_next().await {
        found.push(tried??);
    }
    found.sort_by_key(|(place, _)| *place);
    Ok(Findings { findings: found.into_iter().map(|(_, finding)| finding).collect() })
}

async fn trial(program: &Path, plan: Plan, fault: &'static str, witness: bool) -> Result<Finding> {
    let target = Target::spawn(program, Topology::Mesh, "").await?;
    let finding = try_on(&target, plan, fault, witness).await;
    target.close(finding)
}

async fn try_on(target: &Target, plan: Plan, fault: &'static str, witness: bool) -> Result<Finding> {
    let fleet = Fleet::new(target.find().await?, Topology::Mesh, plan)?;
    anyhow::ensure!(fleet.is_witness(0) == witness, "device 0 has the wrong part");
    let keys = fleet.mint(&target.keys).await?;
    fleet.register(keys).await?;
    fleet.connect(Arrival::Quiet).await?;
    fleet.settle().await?;
    let ledger = &fleet.shared.ledger;
    ledger.watch();
    for device in 1..fleet.devices.len() {
        if let Some(tamper) = fleet.shared.tamper().filter(|_| device == 2) {
            tamper.arm();
        }
        fleet.change(device).await?;
    }
    if let Err(e) = ledger.settled(DELIVERED_WITHIN).await {
        ledger.complain(&format!("{e:#}"));
    }
    let verdict = fleet.verdict().await?;
    let noticed = verdict.models_wrong > 0 || ledger.errors() > 0;
    let right = match fleet.shared.tamper() {
        Some(tamper) => noticed && tamper.is_done(),
        None => !noticed,
    };
    Ok(Finding { fault, witness, models_wrong: verdict.models_wrong, errors: ledger.errors(), right })
}

impl Report for Findings {
    fn rows(&self) -> Vec<Row> {
        let line = |f: &Finding| {
            let place = if f.witness { "a full model" } else { "no full model" };
            let aim = if f.fault == "none" { "all right" } else { "found" };
            let found = format!("{} wrong, {} errors", f.models_wrong, f.errors);
            row(
                format!("{}, {place}", f.fault),
                found,
                if f.right { aim.into() } else { format!("{aim}: MISSED") },
            )
        };
        self.findings.iter().map(line).collect()
    }

    fn is_right(&self) -> bool {
        self.findings.iter().all(|f| f.right)
    }
}
