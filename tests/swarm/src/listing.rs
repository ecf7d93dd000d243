//! `swarm list`: what a list of many devices costs the server that tells it.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, Result, ensure};
use clap::Args;
use harness::{Client, Identity};
use serde::Serialize;
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    args::program,
    gauge::Gauge,
    report::{Report, Row, row},
    say,
    server::{Admin, Server},
    topology::Topology,
};

/// Devices that join at once.
const AT_ONCE: usize = 32;
const WARM: u32 = 5;

/// How many devices there are, and how often they are listed.
#[derive(Args)]
pub struct ListArgs {
    /// The meshctl to start on a fresh data folder [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub spawn: Option<PathBuf>,
    /// Devices
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub nodes: u32,
    /// Lists of each kind, of which the median counts
    #[arg(long, value_name = "N", default_value_t = 41, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub times: u32,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// One JSON object.
#[derive(Debug, Serialize)]
pub struct Listed {
    pub nodes: u32,
    pub lists: Vec<List>,
}

/// One kind of list.
#[derive(Debug, Serialize)]
pub struct List {
    pub path: String,
    pub bytes: usize,
    /// CPU time of the server for one, the median.
    pub cpu_ms: f64,
    /// What was promised, in CPU time; in an optimised build.
    pub aim_ms: Option<f64>,
}

/// Lets them all in, then lists them.
pub async fn run(args: &ListArgs) -> Result<Listed> {
    let server = Server::spawn(&program(args.spawn.as_ref())?, "").await?;
    let admin = server.admin()?;
    admin.prepare(Topology::Mesh).await?;
    say(&format!("  {} devices join", args.nodes));
    join(&server, &admin, args.nodes).await?;
    let nodes = args.nodes as usize;
    let mut lists = Vec::new();
    for (path, count, aim_ms) in [
        ("/api/v1/node?limit=500", nodes.min(500), Some(2.0)),
        ("/api/v1/node", nodes, Some(15.0)),
        ("/api/mesh/v1/tailnet/default/node", nodes, Some(15.0)),
    ] {
        lists.push(list(&admin, server.gauge(), path, count, aim_ms, args.times).await?);
    }
    Ok(Listed { nodes: args.nodes, lists })
}

async fn join(server: &Server, admin: &Admin, nodes: u32) -> Result<()> {
    let at = harness::Server::find(&server.url, None).await?.from_addresses(100);
    let (places, mut joining) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for number in 0..nodes {
        let place = places.clone().acquire_owned().await?;
        let (at, admin) = (at.clone(), admin.clone());
        joining.spawn(async move {
            let key = admin.mint(0, false).await?;
            let me = Identity::seeded(u64::from(number) + 1)?;
            let client = Client::connect(&at, &me.machine).await?;
            let request = me.register_request(Some(key.expose()), &format!("device-{number}"));
            let answer = client.register(&request).await?;
            drop(place);
            ensure!(answer.machine_authorized && answer.error.is_empty(), "{}", answer.error);
            anyhow::Ok(())
        });
    }
    while let Some(joined) = joining.join_next().await {
        joined??;
    }
    Ok(())
}

async fn list(
    admin: &Admin,
    gauge: Gauge,
    path: &str,
    count: usize,
    aim_ms: Option<f64>,
    times: u32,
) -> Result<List> {
    let body = admin.get(path).await?;
    let told: Value = serde_json::from_slice(&body)?;
    let told = told["nodes"].as_array().context("a list of devices")?.len();
    ensure!(told == count, "{path} told {told} devices of {count}");
    let mut costs = Vec::new();
    for round in 0..WARM + times {
        let before = gauge.cpu()?;
        let again = admin.get(path).await?;
        let cost = gauge.cpu()?.saturating_sub(before);
        ensure!(again.len().abs_diff(body.len()) < 100, "{path} told something else");
        if round >= WARM {
            costs.push(cost.as_secs_f64() * 1e3);
        }
    }
    costs.sort_by(f64::total_cmp);
    let cpu_ms = costs.get(costs.len() / 2).copied().unwrap_or_default();
    Ok(List { path: path.to_owned(), bytes: body.len(), cpu_ms, aim_ms })
}

impl Report for Listed {
    fn rows(&self) -> Vec<Row> {
        let line = |list: &List| {
            let aim = list.aim_ms.map(|ms| format!("< {ms} ms")).unwrap_or_default();
            row(format!("GET {}", list.path), format!("{:.2} ms CPU, {} bytes", list.cpu_ms, list.bytes), aim)
        };
        let head = row("devices", self.nodes.to_string(), "");
        std::iter::once(head).chain(self.lists.iter().map(line)).collect()
    }
    fn is_right(&self) -> bool {
        true
    }
}
