//! Many model clients in one process: measures what a control server costs, and judges whether it was right.
//!
//! Enters: a server program to start, and how many clients to be. Leaves: figures, and a failure when a client was
//! told something wrong. Must not know: how the server works inside.

mod args;
mod bench;
mod compare;
mod fleet;
mod floor;
mod gauge;
mod growth;
mod handshake;
mod ledger;
mod listener;
mod listing;
mod mark;
mod open_files;
mod relay;
mod relay_load;
mod report;
mod scenario;
mod self_test;
mod server;
mod soak;
mod stun_load;
mod target;
mod topology;

use std::{io::Write, process::ExitCode};

use anyhow::Result;
use clap::Parser;

use args::{Cli, Verb};
use report::Report;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("swarm: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether everything that was checked was right.
fn run(cli: Cli) -> Result<bool> {
    // An error only says that somebody was quicker.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match cli.verb {
        Verb::Bench { fleet, changes } => print(&runtime.block_on(bench::run(&fleet, changes))?, fleet.json),
        Verb::Run(run) => print(&runtime.block_on(scenario::run(&run))?, run.fleet.json),
        Verb::Growth(growth) => print(&runtime.block_on(growth::run(&growth))?, growth.json),
        Verb::Soak(soak) => print(&runtime.block_on(soak::run(&soak))?, soak.json),
        Verb::Relay(load) => print(&runtime.block_on(relay_load::run(&load))?, load.json),
        Verb::List(list) => print(&runtime.block_on(listing::run(&list))?, list.json),
        Verb::Stun(load) => print(&runtime.block_on(stun_load::run(&load))?, load.json),
        Verb::Floor(floor) => {
            drop(runtime);
            match floor::run(&floor)? {}
        }
        Verb::Course(course) => runtime.block_on(compare::course::run(&course)),
        Verb::Compare(all) => runtime.block_on(compare::run(&all)),
        Verb::SelfTest { spawn, nodes, json } => {
            print(&runtime.block_on(self_test::run(&args::program(spawn.as_ref())?, nodes))?, json)
        }
        Verb::Policy { topology } => {
            topology.check(usize::MAX)?;
            writeln!(std::io::stdout(), "{}", topology.policy(topology::Phase::Whole))?;
            Ok(true)
        }
    }
}

fn print(report: &impl Report, json: bool) -> Result<bool> {
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, report)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", report::table(&report.rows()))?;
    }
    Ok(report.is_right())
}

/// Progress and complaints.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
