//! What takes its time: growth and soak.

use std::path::PathBuf;

use clap::Args;

use crate::topology::Topology;

#[derive(Args)]
pub struct GrowthArgs {
    /// The meshctl to start on a fresh data folder [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub spawn: Option<PathBuf>,
    /// Who sees whom: mesh, hub or self
    #[arg(long, value_enum, default_value = "mesh")]
    pub topology: Topology,
    /// Numbers of clients, each with a server of its own
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [250, 500, 1000])]
    pub nodes: Vec<usize>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct SoakArgs {
    /// The meshctl to start on a fresh data folder [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub spawn: Option<PathBuf>,
    /// Clients that stay
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(40..=1000))]
    pub nodes: u32,
    /// How long, at least
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u32).range(40..=86_400))]
    pub seconds: u32,
    /// Endpoint changes per second
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rate: u32,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}
