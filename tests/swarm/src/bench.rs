//! `swarm bench`: the figures that a server is judged by, one after the other on one server.

mod bound;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    args::{FleetArgs, program},
    fleet::{Arrival, Fleet, Plan, Verdict, progress},
    floor::http2,
    handshake::{self, Handshakes},
    report::histogram::{Histogram, Quantiles},
    report::{Report, Row, mib, row},
    say,
    server::Server,
    target::Keys,
    topology::Topology,
};
use bound::Bound;

/// Full models; more would take the machine from the server that is measured.
const WITNESSES: usize = 32;
/// Connections of the HTTP/2 library alone; what one takes does not change with more.
const STREAMS: usize = 1000;
/// Between two changes, so that each finds the server idle.
const PAUSE: Duration = Duration::from_millis(150);
const DELIVERED_WITHIN: Duration = Duration::from_secs(120);
/// Devices that come back one by one.
const RETURNS: usize = 20;

/// All figures of one run.
#[derive(Debug, Serialize)]
pub struct Figures {
    date: Timestamp,
    topology: &'static str,
    nodes: usize,
    noise: Handshakes,
    registration: Cost,
    connection: Cost,
    memory: MemoryUse,
    change: ChangeCost,
    full_map: FullMap,
    bound: Bound,
    /// What the HTTP/2 library takes by itself.
    http2_stream_bytes: f64,
    reconnect: Reconnect,
    #[serde(flatten)]
    verdict: Verdict,
    errors: u64,
}

/// What something cost that every client did once.
#[derive(Debug, Serialize)]
struct Cost {
    per_second: f64,
    server_cpu_ms_each: f64,
}

/// Resident memory of the whole server process.
#[derive(Debug, Serialize)]
struct MemoryUse {
    started_bytes: u64,
    registered_bytes: u64,
    connected_bytes: u64,
    /// Of these the program's own file.
    program_bytes: u64,
    peak_bytes: u64,
    per_node_bytes: u64,
}

#[derive(Debug, Serialize)]
struct ChangeCost {
    changes: u32,
    /// Of each.
    receivers: usize,
    server_cpu_ms_each: f64,
    swarm_cpu_ms_each: f64,
    bytes_per_delivery: f64,
    /// To each of the others.
    delivery_ms: Quantiles,
    /// To the last of the others.
    everybody_ms: Quantiles,
}

/// What a device costs that comes back alone.
#[derive(Debug, Serialize)]
struct FullMap {
    server_cpu_ms_each: f64,
    /// In its map.
    peers: usize,
    /// Of its compressed map.
    bytes_per_peer: f64,
}

/// What it costs when everybody's connection is cut and all come back at the same moment.
#[derive(Debug, Serialize)]
struct Reconnect {
    /// Until the last has its full map.
    seconds: f64,
    server_cpu_seconds: f64,
}

/// Runs everything.
pub async fn run(args: &FleetArgs, topology: Topology, changes: u32) -> Result<Figures> {
    let date = Timestamp::now();
    let known = matches!(topology, Topology::Mesh | Topology::Groups | Topology::Hub);
    ensure!(known, "bench is known for mesh, groups and hub only");
    topology.check(args.nodes())?;
    say("handshakes");
    let noise = tokio::task::spawn_blocking(handshake::measure).await??;
    say(&format!(
        "  {:.0} of ours, {:.0} of snow's, at most {:.0}",
        noise.accepts, noise.stock_snow, noise.bound
    ));
    let mut server = Server::spawn(&program(args.spawn.as_ref())?, "").await?;
    let figures = measure(&server, args, (topology, changes), date, noise).await;
    let ended = server.ended()?;
    ensure!(ended.is_none(), "the server ended: {ended:?}\n{}", server.log());
    figures.with_context(|| server.log())
}

async fn measure(
    server: &Server,
    args: &FleetArgs,
    (topology, changes): (Topology, u32),
    date: Timestamp,
    noise: Handshakes,
) -> Result<Figures> {
    let nodes = args.nodes();
    let plan = Plan { devices: nodes, witnesses: args.witnesses_or(WITNESSES), ..Plan::default() };
    let fleet = Fleet::new(harness::Server::find(&server.url, None).await?, topology, plan)?;
    let admin = server.admin()?;
    admin.prepare(topology).await?;
    let started_bytes = server.gauge().memory()?.resident_bytes;
    say(&format!("{nodes} clients"));
    let start = Instant::now();
    let keys = fleet.mint(&Keys::Minted(admin)).await?;
    progress("keys", start);
    let registration = cost(server, nodes, fleet.register(keys)).await?;
    progress("registered", start);
    let registered_bytes = server.gauge().memory()?.resident_bytes;
    let connection = connect(server, &fleet).await?;
    progress("all know all", start);
    let connected = server.gauge().memory()?;
    let change = change_cost(server, &fleet, changes).await?;
    progress("changes", start);
    let full_map = return_cost(server, &fleet).await?;
    let reconnect = reconnect(server, &fleet).await?;
    progress("all came back", start);
    let bound = bound(&change, &full_map).await?;
    let http2_stream_bytes = http2::memory_each(nodes.min(STREAMS)).await?;
    progress("bounds", start);
    let verdict = fleet.verdict().await?;
    progress("checked", start);
    let memory = MemoryUse {
        started_bytes,
        registered_bytes,
        connected_bytes: connected.resident_bytes,
        program_bytes: connected.file_bytes,
        peak_bytes: server.gauge().memory()?.peak_bytes,
        per_node_bytes: connected.resident_bytes.saturating_sub(started_bytes) / nodes as u64,
    };
    let errors = fleet.shared.ledger.errors();
    Ok(Figures {
        date,
        topology: topology.name(),
        nodes,
        noise,
        registration,
        connection,
        memory,
        change,
        full_map,
        bound,
        http2_stream_bytes,
        reconnect,
        verdict,
        errors,
    })
}

/// What the server spends while something is done for every client.
async fn cost(server: &Server, nodes: usize, done: impl Future<Output = Result<()>>) -> Result<Cost> {
    let (start, cpu) = (Instant::now(), server.gauge().cpu()?);
    done.await?;
    let took = start.elapsed();
    let cpu = server.gauge().cpu()? - cpu;
    Ok(Cost { per_second: nodes as f64 / took.as_secs_f64(), server_cpu_ms_each: each_ms(cpu, nodes) })
}

/// The same for connecting, which is over when all know all.
async fn connect(server: &Server, fleet: &Fleet) -> Result<Cost> {
    let (start, cpu) = (Instant::now(), server.gauge().cpu()?);
    fleet.connect(Arrival::Quiet).await?;
    let took = start.elapsed() + fleet.settle().await?;
    let cpu = server.gauge().cpu()? - cpu;
    let nodes = fleet.devices.len();
    Ok(Cost { per_second: nodes as f64 / took.as_secs_f64(), server_cpu_ms_each: each_ms(cpu, nodes) })
}

async fn change_cost(server: &Server, fleet: &Fleet, changes: u32) -> Result<ChangeCost> {
    let ledger = &fleet.shared.ledger;
    let everybody = Histogram::new();
    let own = crate::gauge::Gauge::of(std::process::id());
    fleet.listen_only(|_| true);
    ledger.watch();
    let (cpu, own_cpu, bytes) = (server.gauge().cpu()?, own.cpu()?, ledger.bytes());
    for n in 0..changes as usize {
        let start = Instant::now();
        fleet.change(fleet.topology.changer(n, fleet.devices.len())).await?;
        ledger.settled(DELIVERED_WITHIN).await?;
        everybody.record(start.elapsed());
        sleep(PAUSE).await;
    }
    let cpu = server.gauge().cpu()? - cpu;
    Ok(ChangeCost {
        changes,
        receivers: fleet.peers_of(fleet.topology.changer(0, fleet.devices.len())),
        server_cpu_ms_each: each_ms(cpu, changes as usize),
        swarm_cpu_ms_each: each_ms(own.cpu()? - own_cpu, changes as usize),
        bytes_per_delivery: (ledger.bytes() - bytes) as f64 / ledger.delivered().max(1) as f64,
        delivery_ms: ledger.delays(),
        everybody_ms: everybody.quantiles(),
    })
}

async fn return_cost(server: &Server, fleet: &Fleet) -> Result<FullMap> {
    fleet.silence().await;
    let (cpu, bytes) = (server.gauge().cpu()?, fleet.shared.ledger.bytes());
    let ordinary = |n| fleet.topology.changer(n, fleet.devices.len());
    for device in (0..RETURNS).map(ordinary) {
        fleet.cut(device).await;
        fleet.reopen(device).await?;
        fleet.shared.ledger.settled(DELIVERED_WITHIN).await?;
    }
    fleet.silence().await;
    let peers = fleet.peers_of(ordinary(0));
    let told = (RETURNS * peers) as f64;
    Ok(FullMap {
        peers,
        server_cpu_ms_each: each_ms(server.gauge().cpu()? - cpu, RETURNS),
        bytes_per_peer: (fleet.shared.ledger.bytes() - bytes) as f64 / told,
    })
}

async fn reconnect(server: &Server, fleet: &Fleet) -> Result<Reconnect> {
    let (cpu, start) = (server.gauge().cpu()?, Instant::now());
    fleet.disconnect().await;
    fleet.shared.ledger.owe(fleet.devices.len() as u64);
    fleet.connect(Arrival::Again).await?;
    fleet.shared.ledger.settled(DELIVERED_WITHIN).await?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(Reconnect { seconds, server_cpu_seconds: (server.gauge().cpu()? - cpu).as_secs_f64() })
}

/// The bound for what was measured before.
async fn bound(change: &ChangeCost, full_map: &FullMap) -> Result<Bound> {
    let delivery = change.bytes_per_delivery.round() as usize;
    let map = (full_map.bytes_per_peer * full_map.peers as f64).round() as usize;
    Bound::measure(change.receivers, delivery, map).await
}

fn each_ms(cpu: Duration, number: usize) -> f64 {
    cpu.as_secs_f64() * 1000.0 / number.max(1) as f64
}

impl Report for Figures {
    fn rows(&self) -> Vec<Row> {
        let Self { noise, registration, connection, memory, change, .. } = self;
        let Self { full_map, bound, reconnect, nodes, .. } = self;
        let (node_kb, stream_kb) = (memory.per_node_bytes as f64 / 1000.0, self.http2_stream_bytes / 1000.0);
        let change_us = change.server_cpu_ms_each * 1000.0 / change.receivers as f64;
        let back_us = full_map.server_cpu_ms_each * 1000.0;
        let return_us = 1e6 / noise.bound + bound.map_us;
        let returns = return_us / 1e6 * *nodes as f64;
        let spread = |q: Quantiles| format!("{:.1} / {:.1} / {:.1} ms", q.p50, q.p99, q.max);
        vec![
            row("date, topology, nodes", format!("{:.0}, {}, {nodes}", self.date, self.topology), ""),
            row("Noise accepts, per s and core", format!("{:.0}", noise.accepts), "9000"),
            row(
                "- of the bound: 4 X25519 and a new key",
                format!("{:.2} of {:.0}", noise.accepts / noise.bound, noise.bound),
                "",
            ),
            row(
                "- against stock snow",
                format!("{:.1} x {:.0}", noise.accepts / noise.stock_snow, noise.stock_snow),
                "",
            ),
            row(
                "registrations with a key each, durable, per s",
                format!("{:.0}", registration.per_second),
                "1500",
            ),
            row("- server CPU each", format!("{:.2} ms", registration.server_cpu_ms_each), ""),
            row("connecting until all know all, per s", format!("{:.0}", connection.per_second), ""),
            row("- server CPU each", format!("{:.2} ms", connection.server_cpu_ms_each), ""),
            row("memory: started", mib(memory.started_bytes), ""),
            row("memory: all registered", mib(memory.registered_bytes), ""),
            row("memory: all connected", mib(memory.connected_bytes), "70 MB at 1000"),
            row("- of that the program's file", mib(memory.program_bytes), ""),
            row("memory: peak", mib(memory.peak_bytes), ""),
            row("- per connected node", format!("{node_kb:.1} kB"), "36 kB"),
            row(
                "- of the bound: a stream of the HTTP/2 library",
                format!("{:.2} of {stream_kb:.1} kB", stream_kb / node_kb),
                "",
            ),
            row(
                "server CPU per endpoint change",
                format!("{:.2} ms", change.server_cpu_ms_each),
                "25 ms at 1000; in hub 0.3 ms",
            ),
            row(format!("- per receiver, of {}", change.receivers), format!("{change_us:.1} us"), ""),
            row(
                "- of the bound: seal and write",
                format!("{:.2} of {:.1} us", bound.delivery_us / change_us, bound.delivery_us),
                "",
            ),
            row("- swarm's own CPU", format!("{:.1} ms", change.swarm_cpu_ms_each), ""),
            row("- bytes per delivery", format!("{:.0}", change.bytes_per_delivery), ""),
            row("change to each receiver, p50 / p99 / max", spread(change.delivery_ms), "p99 40 ms at 1000"),
            row("change to the last receiver, p50 / p99 / max", spread(change.everybody_ms), ""),
            row("a device comes back, server CPU", format!("{:.2} ms", full_map.server_cpu_ms_each), ""),
            row(
                "- of the bound: curve operations, seal and write",
                format!("{:.2} of {return_us:.0} us", return_us / back_us),
                "",
            ),
            row("- bytes of its map per peer", format!("{:.0}", full_map.bytes_per_peer), "170"),
            row(
                "all come back at once, server CPU",
                format!("{:.2} s", reconnect.server_cpu_seconds),
                "0.8 s at 1000",
            ),
            row(
                "- of the bound, of so many",
                format!("{:.2} of {returns:.2} s", returns / reconnect.server_cpu_seconds),
                "",
            ),
            row("- until the last has its map", format!("{:.1} s", reconnect.seconds), ""),
            row(
                "models checked / wrong",
                format!("{} / {}", self.verdict.models_checked, self.verdict.models_wrong),
                "0 wrong",
            ),
            row("errors", self.errors.to_string(), "0"),
        ]
    }

    fn is_right(&self) -> bool {
        self.verdict.models_wrong == 0 && self.errors == 0
    }
}
