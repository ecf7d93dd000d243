//! The command line.

mod fleet;
mod long;
mod run;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::{
    compare::{CompareArgs, course::CourseArgs},
    floor::FloorArgs,
    listing::ListArgs,
    relay_load::RelayArgs,
    stun_load::StunArgs,
    topology::Topology,
};
pub use fleet::FleetArgs;
pub use long::{GrowthArgs, SoakArgs};
pub use run::{RunArgs, Scenario};

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
    #[command(after_help = examples("swarm bench\n  swarm bench --topology hub\n  swarm bench --nodes 250 --changes 60 --json"))]
    Bench {
        #[command(flatten)]
        fleet: FleetArgs,
        /// Who sees whom: mesh, groups or hub
        #[arg(long, value_enum, default_value = "mesh")]
        topology: Topology,
        /// Endpoint changes, one after another, each awaited by everybody
        #[arg(long, value_name = "K", default_value_t = 100)]
        changes: u32,
    },
    /// Holds a scenario for some time and prints what it cost
    #[command(after_help = examples(
        "swarm run churn --nodes 500 --seconds 30\n  \
         swarm run reconnect --topology groups --spawn target/release/meshctl --json\n  \
         swarm run churn --server https://mesh.example.com --ca root.pem --key-file keys"
    ))]
    Run(RunArgs),
    /// Sends packets through a relay and prints what they cost it
    Relay(RelayArgs),
    /// Asks a server for addresses and prints what that costs it
    Stun(StunArgs),
    /// Serves the load of stun or relay with the least work there can be, to hold a server against it; prints where
    #[command(after_help = examples(
        "swarm floor stun &\n  swarm stun --address 127.0.0.1:41234 --pid 4711    as it said\n  \
         swarm floor relay &\n  swarm relay --address 127.0.0.1:41235 --pid 4712"
    ))]
    Floor(FloorArgs),
    /// Lists many devices over the admin interfaces and prints what that costs the server
    List(ListArgs),
    /// Goes through everything that is compared, one line of JSON a step
    Course(CourseArgs),
    /// Runs the same loads on our server, headscale and derper; see tests/swarm/compare
    Compare(CompareArgs),
    /// Drops, repeats and alters one delta on its way to a client: each must be found wrong
    #[command(after_help = examples("swarm self-test"))]
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
    /// Fits how the server's CPU grows with the number of clients, for every kind of event; fails above 1.1 in mesh,
    /// 0.1 in hub
    #[command(after_help = examples("swarm growth\n  swarm growth --topology hub --nodes 250,500,1000,2000,4000"))]
    Growth(GrowthArgs),
    /// Everything at once for a long time: all must be right in the end, and nothing may leak
    #[command(after_help = examples("swarm soak --seconds 3600"))]
    Soak(SoakArgs),
    /// Prints the policy that a server given by --server needs
    #[command(after_help = examples("swarm policy --topology hub > policy.hujson"))]
    Policy {
        #[arg(long, value_enum, default_value = "mesh")]
        topology: Topology,
    },
}

/// The program to start.
pub fn program(spawn: Option<&PathBuf>) -> Result<PathBuf> {
    match spawn {
        Some(path) => Ok(path.clone()),
        None => Ok(std::env::current_exe()?.parent().context("a program in a folder")?.join("meshctl")),
    }
}

fn examples(lines: &str) -> String {
    format!("Examples:\n  {lines}")
}
