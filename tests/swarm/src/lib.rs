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
pub mod here;
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
use tokio::runtime::{Builder, Runtime};

use args::{Cli, Verb};
use gauge::CLIENTS;
use report::Report;

/// The command line, and servers that are processes of their own.
pub fn main() -> ExitCode {
    exit_code(run(Cli::parse()))
}

fn exit_code(outcome: Result<bool>) -> ExitCode {
    match outcome {
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
    let runtime = prepared()?;
    match cli.verb {
        Verb::Bench { fleet, topology, changes } => {
            print(&runtime.block_on(bench::run(&fleet, topology, changes))?, fleet.json)
        }
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

/// What clients run on.
fn prepared() -> Result<Runtime> {
    // An error only says that somebody was quicker.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Ok(Builder::new_multi_thread().worker_threads(2).thread_name(CLIENTS).enable_all().build()?)
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
