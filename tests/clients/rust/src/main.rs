//! The official Rust client as a test peer: reads commands as lines, says what happened as lines of JSON.
//!
//! `mesh-peer mesh ...` joins a mesh with the client's own network stack. `mesh-peer kernel` speaks the same commands
//! over the sockets of the host, so that a host with another client can answer. Exit codes: 0 told to quit; 1 wrong
//! use; 3 the client did not come up, or went down and did not come back.

mod command;
mod device;
mod dial;
mod echo;
mod node;
mod output;
mod peer;
mod sockets;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use serde_json::json;
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;

use crate::device::Identity;
use crate::sockets::Sockets;

#[derive(Parser)]
#[command(about = "The official Rust client as a test peer, driven by lines on standard input")]
struct Arguments {
    /// Seconds after which any one call of the client counts as failed
    #[arg(long, default_value_t = 10, global = true)]
    limit: u64,
    #[command(subcommand)]
    network: Network,
}

#[derive(Subcommand)]
enum Network {
    /// Join a mesh; commands run over the client's own network stack
    Mesh(Identity),
    /// Stay outside; commands run over the sockets of the host
    Kernel,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::from_default_env())
        .init();
    let arguments = Arguments::parse();
    run(&arguments).unwrap_or_else(|error| {
        eprintln!("mesh-peer: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    let limit = Duration::from_secs(arguments.limit);
    let runtime = Runtime::new()?;
    let ended = runtime.block_on(async {
        match &arguments.network {
            Network::Mesh(identity) => mesh(identity, limit).await,
            Network::Kernel => peer::obey(Sockets::Kernel, limit).await.map(|()| ExitCode::SUCCESS),
        }
    });
    // a read of standard input may still wait, and nobody will write to it
    runtime.shutdown_background();
    ended
}

async fn mesh(identity: &Identity, limit: Duration) -> Result<ExitCode> {
    let config = identity.config().await?;
    let device = match identity.join(&config).await {
        Ok(device) => device,
        Err(why) => return Ok(lost(&why)),
    };
    output::say(&json!({ "event": "up", "self": node::describe(&device.self_node().await?) }));
    tokio::select! {
        ended = peer::obey(Sockets::Mesh(device.clone()), limit) => ended.map(|()| ExitCode::SUCCESS),
        why = watch::gone(&device, identity.patience()) => Ok(lost(&why)),
    }
}

fn lost(why: &str) -> ExitCode {
    output::say(&json!({ "event": "lost", "why": why }));
    ExitCode::from(3)
}
