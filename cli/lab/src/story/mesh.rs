//! The mesh itself: hosts register, reach each other, and come back by themselves.

use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::sabotage::Sabotage;
use super::{Stage, Story};
use crate::bench::{MEMBERS, NO_ERROR, SETTLED, pairs};
use crate::patience::until;
use crate::plan::SERVER;
use crate::server::{SERVER_ADDRESS, SERVER_PORT};

const JOIN_LIMIT: Duration = Duration::from_secs(120);
const ECHOES: u32 = 20;
const LATENCY_LIMIT_MS: f64 = 50.0;
/// How long the server stays out of reach.
const INTERRUPTION: Duration = Duration::from_secs(4);
const REJOIN_LIMIT: Duration = Duration::from_secs(30);

pub(super) fn stories() -> Vec<Story> {
    vec![
        Story {
            id: "mesh.basic",
            title: "three hosts register from nothing and are online",
            proves: &["US1.1", "FR-001", "FR-002", "FR-003", "FR-009", "FR-011", "SC-001"],
            calm: false,
            sabotage: Sabotage::ServerAway,
            symptom: "connection refused",
            tell: basic,
        },
        Story {
            id: "mesh.ping",
            title: "every host pings every other",
            proves: &["US1.2", "US1.3", "US1.4", "FR-004", "SC-002"],
            calm: false,
            sabotage: Sabotage::PolicyDeniesAll,
            symptom: "does not reach 100.64.",
            tell: ping,
        },
        Story {
            id: "mesh.rejoin",
            title: "a host that lost the server is back by itself",
            proves: &["US1.5", "SC-005"],
            calm: false,
            sabotage: Sabotage::NeverMended,
            symptom: "for while-away",
            tell: rejoin,
        },
    ]
}

fn basic(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    for member in MEMBERS {
        let client = bench.member(member)?;
        if client.state()? == "Running" {
            client.logout()?;
        }
        if let Ok(node) = bench.server.node(member) {
            bench.delete(&node)?;
        }
    }
    ensure!(bench.server.nodes()?.is_empty(), "the server knows nodes before any is registered");
    let begun = Instant::now();
    bench.join_all()?;
    bench.await_mesh(JOIN_LIMIT)?;
    let took = begun.elapsed();
    let addresses: Vec<_> = MEMBERS.iter().map(|host| bench.ipv4(host)).collect::<Result<_>>()?;
    ensure!(addresses[0] != addresses[1] && addresses[1] != addresses[2], "an address was given twice");
    stage.measured("SC-001", took < JOIN_LIMIT, format!("{:.1} s", took.as_secs_f64()));
    Ok(())
}

fn ping(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    let mut worst = (0.0_f64, String::new());
    let mut slowest = 0.0_f64;
    let measured: Vec<Result<_>> = thread::scope(|scope| {
        let one = |(from, to)| {
            scope.spawn(move || {
                let address = bench.ipv4(to)?;
                bench.must_reach(from, address)?;
                Ok((from, to, bench.round_trips(from, address, ECHOES)?))
            })
        };
        let threads: Vec<_> = pairs().map(one).collect();
        threads.into_iter().map(|one| one.join().map_err(|_| anyhow!("a ping panicked"))?).collect()
    });
    for one in measured {
        let (from, to, times) = one?;
        let middle = median(times.clone()).context("no echo")?;
        slowest = times.into_iter().fold(slowest, f64::max);
        if middle > worst.0 {
            worst = (middle, format!("{from} to {to}"));
        }
    }
    let found = format!(
        "median {:.1} ms ({}, the worst of 6 pairs), slowest single {slowest:.1} ms",
        worst.0, worst.1
    );
    stage.measured("SC-002", worst.0 < LATENCY_LIMIT_MS, found);
    Ok(())
}

/// The router turns away what the host says to the server: its connections break with its next word.
fn rejoin(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    let way = format!("ip saddr {} ip daddr {}", bench.outside("a")?, SERVER.1);
    bench.lab.cut("r1", &format!("{way} meta l4proto tcp reject with tcp reset\n{way} drop"))?;
    let begun = Instant::now();
    // news for everybody, which the host has to confirm, and so meets the break
    bench.announce("last-news", SERVER_ADDRESS)?;
    until(SETTLED, "the host to lose the server", || {
        Ok((!bench.host("a")?.is_connected(SERVER_ADDRESS, SERVER_PORT)?).then_some(()))
    })?;
    bench.announce("while-away", SERVER_ADDRESS)?;
    sleep(INTERRUPTION.saturating_sub(begun.elapsed()));
    if bench.ask("a", "while-away")?.code == NO_ERROR {
        bail!("the host knows what it was told while the server was out of its reach");
    }
    stage.mend("r1")?;
    let mended = Instant::now();
    let bench = &stage.bench;
    bench.await_name("a", "while-away", Some(SERVER_ADDRESS), SETTLED * 2)?;
    bench.await_mesh(SETTLED)?;
    bench.must_reach("a", bench.ipv4("c")?)?;
    let took = mended.elapsed();
    bench.withdraw("last-news")?;
    bench.withdraw("while-away")?;
    stage.measured("SC-005", took < REJOIN_LIMIT, format!("{:.1} s", took.as_secs_f64()));
    Ok(())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
