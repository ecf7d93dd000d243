//! Many model clients in one process: measures what a control server costs, and judges whether it was right.
//!
//! Enters: a server program to start, and how many clients to be. Leaves: figures, and a failure when a client was
//! told something wrong. Must not know: how the server works inside.

mod bench;
mod fleet;
mod gauge;
mod handshake;
mod histogram;
mod ledger;
mod listener;
mod mark;
mod report;
mod scenario;
mod server;

use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use report::Report;

/// Emulates many clients of a mesh on loopback, measures the server they talk to and checks what it tells them.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Prints what the server costs: handshakes, registrations, memory, endpoint changes
    Bench {
        #[command(flatten)]
        fleet: FleetArgs,
        /// Endpoint changes, one after another, each awaited by everybody
        #[arg(long, value_name = "K", default_value_t = 100)]
        changes: u32,
    },
    /// Holds a scenario for some time and prints what it cost
    Run {
        /// What the clients do
        scenario: Scenario,
        #[command(flatten)]
        fleet: FleetArgs,
        /// How long, without the time to get everybody connected
        #[arg(long, value_name = "S", default_value_t = 30)]
        seconds: u32,
        /// Changes per second, all clients together
        #[arg(long, value_name = "N", default_value_t = 35)]
        rate: u32,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Scenario {
    /// Nothing happens; a correct server says nothing
    Idle,
    /// Endpoints change at the given rate
    Churn,
}

/// Whom to measure, and with how many clients.
#[derive(Args)]
pub struct FleetArgs {
    /// The meshctl to start on a fresh data folder [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    spawn: Option<PathBuf>,
    /// Clients
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..=9000))]
    nodes: u32,
    /// Clients that fold every message and are compared with a fresh map at the end
    #[arg(long, value_name = "N", default_value_t = 32)]
    witnesses: u32,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

impl FleetArgs {
    /// The program to start.
    pub fn program(&self) -> Result<PathBuf> {
        match &self.spawn {
            Some(path) => Ok(path.clone()),
            None => Ok(std::env::current_exe()?.parent().context("a program in a folder")?.join("meshctl")),
        }
    }

    /// How many clients to be.
    pub fn nodes(&self) -> usize {
        self.nodes as usize
    }

    /// How many of them are full models: at least 16, if there are as many.
    pub fn witnesses(&self) -> usize {
        (self.witnesses.max(16) as usize).min(self.nodes())
    }
}

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
        Verb::Run { scenario, fleet, seconds, rate } => {
            let rate = match scenario {
                Scenario::Idle => 0,
                Scenario::Churn => rate.max(1),
            };
            print(&runtime.block_on(scenario::run(&fleet, seconds, rate))?, fleet.json)
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
