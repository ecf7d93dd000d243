//! Whom to measure, and with how many clients.

use std::{
    hash::{BuildHasher, RandomState},
    path::PathBuf,
};

use clap::Args;

/// Up to so many clients, all of them are full models unless told otherwise; above that, fewer.
const ALL_ARE_WITNESSES: usize = 1000;
const WITNESSES_ABOVE: usize = 64;

/// Whom to measure, and with how many clients.
#[derive(Args)]
pub struct FleetArgs {
    /// The meshctl to start on a fresh data folder [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub spawn: Option<PathBuf>,
    /// Clients
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    nodes: u32,
    /// Clients that fold every message and are compared with what is right at the end; at least 16 [default: 32 in
    /// bench; in run all up to 1000 clients, 64 above]
    #[arg(long, value_name = "N")]
    witnesses: Option<u32>,
    /// Chooses which clients these are, where not all of them are [default: another one each time]
    #[arg(long, value_name = "N", default_value_t = RandomState::new().hash_one(0) >> 32, hide_default_value = true)]
    pub seed: u64,
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
