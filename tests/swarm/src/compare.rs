//! `swarm compare`: the same loads on our server, on others and on the floor, one after the other, and a table of the
//! ratios.

pub mod course;
mod reading;
mod rival;
mod rounds;
mod table;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::{Serialize, Serializer};

use crate::{args::program, say, topology::Topology};
use rounds::{control_round, relay_round, stun_round};
use table::{Table, print};

/// What to compare, and with what.
#[derive(Args)]
pub struct CompareArgs {
    /// The folder with headscale and derper, as tests/swarm/rivals/build prints it
    #[arg(long, value_name = "FOLDER")]
    pub rivals: PathBuf,
    /// The folder with headscale's configuration
    #[arg(long, value_name = "FOLDER")]
    pub configs: PathBuf,
    /// Our server [default: the meshctl beside this program]
    #[arg(long, value_name = "PATH")]
    pub spawn: Option<PathBuf>,
    /// Fewer clients, shorter
    #[arg(long)]
    pub quick: bool,
    /// These parts only [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Part>,
    /// This size of a mesh of control servers only, or of the topology that is named
    #[arg(long, value_name = "N", conflicts_with = "quick", value_parser = clap::value_parser!(u32).range(20..=9000))]
    pub nodes: Option<u32>,
    /// This topology of control servers only [default of --nodes: mesh]
    #[arg(long, value_enum, requires = "nodes")]
    pub topology: Option<Topology>,
    /// Seconds for each step of a round; what takes longer is DNF (did not finish), and so are the steps after it
    #[arg(long, value_name = "S", default_value_t = 600)]
    pub limit: u32,
    /// Print one JSON object a table instead of Markdown
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Part {
    /// Control servers with 100, 300 and 1,000 clients
    Control,
    /// Relays
    Relay,
    /// Address questions
    Stun,
}

/// One server of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Ours,
    Headscale,
    HeadscaleTuned,
    Derper,
    /// The least there can be: `swarm floor`.
    Floor,
}

impl Column {
    /// What the next column says of ours beside this one; of our own there is none.
    fn beside(self) -> Option<&'static str> {
        match self {
            Self::Ours => None,
            Self::Headscale | Self::HeadscaleTuned | Self::Derper => Some("ratio"),
            Self::Floor => Some("of the floor"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "meshctl",
            Self::Headscale => "headscale",
            Self::HeadscaleTuned => "headscale, 50 ms and 10 ms",
            Self::Derper => "derper",
            Self::Floor => "floor",
        }
    }
}

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// Whether everything that ours did was right. Tables are printed as they are ready.
pub async fn run(args: &CompareArgs) -> Result<bool> {
    let ours = program(args.spawn.as_ref())?;
    let wants = |part: Part| args.only.is_empty() || args.only.contains(&part);
    let mut right = true;
    let mut done = |table: Table| {
        right &= table.ours_is_right();
        print(&table, args.json)
    };
    if wants(Part::Stun) {
        done(stun_round(args, &ours).await?)?;
    }
    if wants(Part::Relay) {
        done(relay_round(args, &ours).await?)?;
    }
    if wants(Part::Control) {
        if !args.json {
            say(&rival::configuration(&args.configs)?);
        }
        for (nodes, topology) in fleets(args) {
            done(control_round(args, &ours, nodes, topology).await?)?;
        }
    }
    Ok(right)
}

/// The fleets that control servers are given.
fn fleets(args: &CompareArgs) -> Vec<(u32, Topology)> {
    match args.nodes {
        Some(nodes) => vec![(nodes, args.topology.unwrap_or(Topology::Mesh))],
        None if args.quick => vec![(100, Topology::Mesh)],
        None => vec![
            (100, Topology::Mesh),
            (300, Topology::Mesh),
            (300, Topology::Own),
            (1000, Topology::Mesh),
            (1000, Topology::Hub),
        ],
    }
}
