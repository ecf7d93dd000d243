//! One scenario for some time.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::FleetArgs;
use crate::topology::Topology;

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
    /// Changes per second, all clients together [default: 35 in churn and slow, 5 in join, 1 in policy,
    /// 1000 in derp]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,
    /// A running server without devices, at http://host:port or https://host:port, which is not measured itself
    #[arg(long, value_name = "URL", requires = "key_file", conflicts_with = "spawn")]
    pub server: Option<String>,
    /// Its process on this machine: it is measured after all
    #[arg(long, value_name = "PID", requires = "server")]
    pub server_pid: Option<u32>,
    /// Its reusable keys, one a line, for tag:swarm-0, tag:swarm-1 and so on, or one for all; ephemeral for join
    #[arg(long, value_name = "F", requires = "server")]
    pub key_file: Option<PathBuf>,
    /// The certificates (PEM) that a server at https is trusted by
    #[arg(long, value_name = "F", requires = "server")]
    pub ca: Option<PathBuf>,
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
    /// Pairs of devices send each other packets through the relay at the given rate; nobody holds a map
    Derp,
}

impl Scenario {
    /// Changes per second unless told otherwise; `None` where the server sets the pace or nothing happens.
    pub fn usual_rate(self) -> Option<u32> {
        match self {
            Self::Churn | Self::Slow => Some(35),
            Self::Join => Some(5),
            Self::Policy => Some(1),
            Self::Derp => Some(1000),
            Self::Ramp | Self::Reconnect | Self::Idle => None,
        }
    }
}
