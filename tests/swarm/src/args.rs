//! The command line.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    compare::{CompareArgs, course::CourseArgs},
    relay_load::RelayArgs,
    stun_load::StunArgs,
    topology::Topology,
};

/// Up to so many clients, all of them are full models unless told otherwise; above that, fewer.
const ALL_ARE_WITNESSES: usize = 1000;
const WITNESSES_ABOVE: usize = 64;

/// Emulates many clients of a mesh on loopback, measures the server they talk to and checks what it tells them.
#[derive(Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Prints what the server costs: handshakes, registrations, memory, endpoint changes
    Bench {
        #[command(flatten)]
        fleet: FleetArgs,
        /// Endpoint changes, one after another, each awaited by everybody
        #[arg(long, value_name = "K", default_value_t = 100)]
        changes: u32,
    },
    /// Holds a scenario for some time and prints what it cost
    Run(RunArgs),
    /// Sends packets through a relay and prints what they cost it
    Relay(RelayArgs),
    /// Asks a server for addresses and prints what that costs it
    Stun(StunArgs),
    /// Goes through everything that is compared, one line of JSON a step
    Course(CourseArgs),
    /// Runs the same loads on our server, headscale and derper; see tests/swarm/compare
    Compare(CompareArgs),
    /// Drops, repeats and alters one delta on its way to a client: each must be found wrong
    SelfTest {
        /// The meshctl to start on a fresh data folder [default: the one beside this program]
        #[arg(long, value_name = "PATH")]
        spawn: Option<PathBuf>,
        /// Clients
        #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(4..=200))]
        nodes: u32,
        /// Print one JSON object instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Prints the policy that a server given by --server needs
    Policy {
        #[arg(long, value_enum, default_value = "mesh")]
        topology: Topology,
    },
}

#[derive(Args)]
pub struct RunArgs {
    /// What the clients do
    pub scenario: Scenario,
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// Who sees whom
    #[arg(long, value_enum, default_value = "mesh")]
    pub topology: Topology,
    /// How long, without the time to get everybody connected
    #[arg(long, value_name = "S", default_value_t = 30)]
    pub seconds: u32,
    /// Changes per second, all clients together [default: 35 in churn and slow, 5 in join, 1 in policy]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: Option<u32>,
    /// A running server without devices, at http://host:port, which is not measured itself
    #[arg(long, value_name = "URL", requires = "key_file", conflicts_with = "spawn")]
    pub server: Option<String>,
    /// Its process on this machine: it is measured after all
    #[arg(long, value_name = "PID", requires = "server")]
    pub server_pid: Option<u32>,
    /// Its reusable keys, one a line, for tag:swarm-0, tag:swarm-1 and so on, or one for all; ephemeral for join
    #[arg(long, value_name = "F", requires = "server")]
    pub key_file: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scenario {
    /// Everybody registers and connects, until all know all; --seconds does not matter
    Ramp,
    /// Endpoints change at the given rate
    Churn,
    /// New devices come at half the given rate, and leave after two seconds
    Join,
    /// A policy takes a part of the devices out of sight, the next one brings it back
    Policy,
    /// All connections are cut at once and made anew, again and again
    Reconnect,
    /// As churn; in its second half a tenth of the devices does not read
    Slow,
    /// Nothing happens; a correct server says nothing
    Idle,
}

impl Scenario {
    /// Changes per second unless told otherwise; `None` where the server sets the pace or nothing happens.
    pub fn usual_rate(self) -> Option<u32> {
        match self {
            Self::Churn | Self::Slow => Some(35),
            Self::Join => Some(5),
            Self::Policy => Some(1),
            Self::Ramp | Self::Reconnect | Self::Idle => None,
        }
    }
}

/// Whom to measure, and with how many clients.
#[derive(Args)]
pub struct FleetArgs {
    /// The meshctl to start on a fresh data folder [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub spawn: Option<PathBuf>,
    /// Clients
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..=9000))]
    nodes: u32,
    /// Clients that fold every message and are compared with what is right at the end; at least 16 [default: 32 in
    /// bench; in run all up to 1000 clients, 64 above]
    #[arg(long, value_name = "N")]
    witnesses: Option<u32>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

impl FleetArgs {
    /// How many clients to be.
    pub fn nodes(&self) -> usize {
        self.nodes as usize
    }

    /// How many of them are full models, for a run.
    pub fn witnesses(&self) -> usize {
        self.witnesses_or(if self.nodes() > ALL_ARE_WITNESSES { WITNESSES_ABOVE } else { self.nodes() })
    }

    /// The same with this default.
    pub fn witnesses_or(&self, usual: usize) -> usize {
        self.witnesses.map_or(usual, |w| w as usize).max(16).min(self.nodes())
    }
}

/// The program to start.
pub fn program(spawn: Option<&PathBuf>) -> Result<PathBuf> {
    match spawn {
        Some(path) => Ok(path.clone()),
        None => Ok(std::env::current_exe()?.parent().context("a program in a folder")?.join("meshctl")),
    }
}
