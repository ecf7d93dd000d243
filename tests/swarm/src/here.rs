//! Servers in this process, whose clients come through memory: for fleets that need more connections than a process may
//! have open files.

use std::{path::Path, process::ExitCode, sync::Arc, thread};

use anyhow::{Result, anyhow};
use clap::Parser;
use harness::Pipes;

use crate::{exit_code, gauge::CLIENTS, growth, prepared, print, target::Launch, topology::Topology};

/// Runs servers in this process.
pub trait Host: Send + Sync {
    /// Starts one as this file says. It serves when this returns, on threads of its own, until the last of what is given
    /// back is dropped.
    fn start(&self, config: &Path) -> Result<Pipes>;
}

/// Fits how the server's CPU grows with the number of clients, for every kind of event, with servers and clients in one
/// process and connections in memory
#[derive(Parser)]
#[command(version, after_help = "Examples:\n  swarm-in-memory\n  swarm-in-memory --nodes 2000,20000 --json")]
struct Args {
    /// Who sees whom: mesh, hub or self
    #[arg(long, value_enum, default_value = "hub")]
    topology: Topology,
    /// Numbers of clients, each with a server of its own
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [10_000, 50_000])]
    nodes: Vec<usize>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// The command line of a program that has the server inside. All threads but its own are counted as the server's.
pub fn main(host: Arc<dyn Host>) -> ExitCode {
    let args = Args::parse();
    let clients = thread::Builder::new().name(CLIENTS.into()).spawn(move || run(&args, host));
    let done =
        clients.map_err(Into::into).and_then(|thread| thread.join().map_err(|_| anyhow!("it broke"))?);
    exit_code(done)
}

fn run(args: &Args, host: Arc<dyn Host>) -> Result<bool> {
    let launch = Launch::Here(host);
    let growth = prepared()?.block_on(growth::run_on(&launch, args.topology, args.nodes.clone()))?;
    print(&growth, args.json)
}
