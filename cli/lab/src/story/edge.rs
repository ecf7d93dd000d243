//! Edge cases: what goes wrong in real networks.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::sabotage::Sabotage;
use super::service::{page, served};
use super::{Stage, Story};
use crate::bench::{Bench, MEMBERS, PingStream, SETTLED, SPARE, Sum, Web, ipv4_of};
use crate::patience::until;
use crate::plan::SERVER;
use crate::server::SERVER_ADDRESS;
use crate::tailscaled::{Pong, Tailscaled};

const OUTAGE: Duration = Duration::from_secs(6);
/// The longest pause of a client between two tries is 30 s.
const CONTROL_BACK: Duration = Duration::from_secs(45);
const FLAPS: u32 = 4;
/// Of five packets a second: less than a second's.
const LOSS: usize = 5;

/// Those that disturb the members.
pub(super) fn loud() -> Vec<Story> {
    vec![
        Story {
            id: "edge.server_away",
            title: "the server is killed and comes back: tunnels stay, and everybody is who they were",
            proves: &["E3", "FR-012"],
            calm: false,
            sabotage: Sabotage::ServerForgets,
            symptom: "nodes are not who they were",
            tell: server_away,
        },
        Story {
            id: "edge.partition",
            title: "two hosts reach the server and not each other: the relay takes over, and gives back",
            proves: &["E6"],
            calm: false,
            sabotage: Sabotage::RelayCutToo,
            symptom: "does not reach 100.64.",
            tell: partition,
        },
    ]
}

/// Those that happen to the spare host.
pub(super) fn stories() -> Vec<Story> {
    vec![
        Story {
            id: "edge.same_hostname",
            title: "a second host of the same name gets another name, and takes nothing from the first",
            proves: &["E1"],
            calm: true,
            sabotage: Sabotage::FirstRenamed,
            symptom: "the names are first and a",
            tell: same_hostname,
        },
        Story {
            id: "edge.flapping",
            title: "a host whose cable comes and goes is back, and is one node",
            proves: &["E2"],
            calm: true,
            sabotage: Sabotage::NeverMended,
            symptom: "does not reach 100.64.",
            tell: flapping,
        },
        Story {
            id: "edge.forced_removal",
            title: "a host that died is shown offline, is removed, and may come back as a new one",
            proves: &["E4", "FR-006"],
            calm: true,
            sabotage: Sabotage::NotDeleted,
            symptom: "a to forget 100.64.",
            tell: forced_removal,
        },
        Story {
            id: "edge.mixed_versions",
            title: "a client of an older release meshes with the others",
            proves: &["E5"],
            calm: true,
            sabotage: Sabotage::SameVersion,
            symptom: "both are ",
            tell: mixed_versions,
        },
        Story {
            id: "edge.bind_early",
            title: "a service that binds before the mesh is up fails cleanly, and serves once it is",
            proves: &["E7"],
            calm: true,
            sabotage: Sabotage::BoundEverywhere,
            symptom: "has bound an address that is not there",
            tell: bind_early,
        },
        Story {
            id: "edge.bind_loss",
            title: "a service is out of reach while the mesh is lost, and back with it",
            proves: &["E8"],
            calm: true,
            sabotage: Sabotage::NeverMended,
            symptom: "nginx to be served again",
            tell: bind_loss,
        },
    ]
}

fn server_away(stage: &mut Stage<'_>) -> Result<()> {
    let forgets = stage.sabotaged(Sabotage::ServerForgets);
    let bench = &mut stage.bench;
    let (b, c) = (bench.ipv4("b")?, bench.ipv4("c")?);
    for (from, to) in [("a", "b"), ("b", "a")] {
        bench.member(from)?.ping(to, true)?;
    }
    bench.must_reach("a", c)?;
    let before = identities(bench)?;
    let stream = PingStream::start(bench.host("a")?, &b.to_string())?;
    sleep(Duration::from_millis(500));
    bench.server.kill9()?;
    if forgets {
        std::fs::remove_dir_all(bench.host(SERVER.0)?.dir().join("data"))?;
    }
    sleep(OUTAGE);
    ensure!(!bench.reaches("a", c, 2)?, "c is reached without a relay");
    bench.server.start_again()?;
    let Sum { sent, lost, .. } = stream.finish()?;
    ensure!(
        sent > 25 && lost.len() < LOSS,
        "{} of {sent} packets of the direct tunnel were lost",
        lost.len()
    );
    ensure!(identities(bench)? == before, "nodes are not who they were");
    bench.announce("after-outage", SERVER_ADDRESS)?;
    for member in MEMBERS {
        bench.await_name(member, "after-outage", Some(SERVER_ADDRESS), CONTROL_BACK)?;
    }
    bench.withdraw("after-outage")?;
    bench.must_reach("a", c)
}

/// Who is who, at which address, with which keys.
fn identities(bench: &Bench<'_>) -> Result<Vec<Vec<Value>>> {
    let lasting = ["id", "name", "ipv4", "ipv6", "machine_key", "node_key"];
    Ok(bench
        .server
        .nodes()?
        .iter()
        .map(|node| lasting.iter().map(|key| node[*key].clone()).collect())
        .collect())
}

fn partition(stage: &mut Stage<'_>) -> Result<()> {
    let relay_too = stage.sabotaged(Sabotage::RelayCutToo);
    let bench = &stage.bench;
    let path = bench.member("a")?.ping("b", true)?;
    ensure!(matches!(path, Pong::Direct(_)), "a and b have no direct path to cut: {path:?}");
    let mut rules = "ip daddr 172.30.0.2 drop\nip saddr 172.30.0.2 drop\n".to_owned();
    if relay_too {
        rules.push_str(&format!("ip daddr {} drop\n", SERVER.1));
    }
    bench.lab.cut("r1", &rules)?;
    bench.must_reach("a", bench.ipv4("b")?)?;
    bench.must_reach("b", bench.ipv4("a")?)?;
    let path = bench.member("a")?.ping("b", false)?;
    ensure!(matches!(path, Pong::Relayed(_)), "a and b have a path that was cut: {path:?}");
    for (member, address) in [("a", bench.ipv4("a")?), ("b", bench.ipv4("b")?)] {
        bench.await_online(address, true, SETTLED).with_context(|| format!("{member} lost the server"))?;
    }
    bench.lab.mend("r1")?;
    until(CONTROL_BACK, "a and b to have a direct path again", || {
        Ok(matches!(bench.member("a")?.ping("b", true)?, Pong::Direct(_)).then_some(()))
    })
}

fn same_hostname(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    let first = bench.ipv4("a")?;
    let spare = bench.spare("a")?;
    let second = ipv4_of(&spare)?;
    ensure!(second != first, "two hosts have {first}");
    let nodes = bench.server.nodes()?;
    let name_of = |address: std::net::Ipv4Addr| {
        let node = nodes.iter().find(|node| node["ipv4"] == address.to_string());
        node.and_then(|node| node["name"].as_str()).with_context(|| format!("no node has {address}"))
    };
    let other = name_of(second)?;
    ensure!(name_of(first)? == "a" && other != "a", "the names are {} and {other}", name_of(first)?);
    for member in ["b", "c"] {
        bench.await_name(member, other, Some(second), SETTLED)?;
        bench.await_name(member, "a", Some(first), SETTLED)?;
    }
    bench.must_reach("b", first)?;
    bench.must_reach("b", second)?;
    bench.retire(spare)
}

fn flapping(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    let spare = bench.spare(SPARE)?;
    let address = ipv4_of(&spare)?;
    bench.must_reach("a", address)?;
    let before = bench.server.node(SPARE)?;
    for _ in 0..FLAPS {
        bench.lab.unplug(SPARE)?;
        sleep(Duration::from_secs(1));
        if !stage.sabotaged(Sabotage::NeverMended) {
            bench.lab.plug(SPARE)?;
        }
        sleep(Duration::from_secs(1));
    }
    let mended = Instant::now();
    bench.must_reach("a", address)?;
    bench.announce("after-flaps", SERVER_ADDRESS)?;
    until(SETTLED, "the flapping host to hold the newest map", || {
        Ok((bench.ask(SPARE, "after-flaps")?.code == 0).then_some(()))
    })?;
    bench.withdraw("after-flaps")?;
    let took = mended.elapsed();
    let after = bench.server.node(SPARE)?;
    ensure!(after["id"] == before["id"] && after["ipv4"] == before["ipv4"], "it is another node: {after}");
    ensure!(bench.server.nodes()?.len() == MEMBERS.len() + 1, "it is in the list more than once");
    stage.measured("SC-005", took < Duration::from_secs(30), format!("{:.1} s", took.as_secs_f64()));
    stage.bench.retire(spare)
}

fn forced_removal(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    let mut spare = bench.spare(SPARE)?;
    let address = ipv4_of(&spare)?;
    bench.must_reach("a", address)?;
    bench.await_online(address, true, SETTLED)?;
    spare.kill()?;
    Tailscaled::forget(spare.host())?;
    drop(spare);
    bench.await_online(address, false, SETTLED)?;
    ensure!(bench.ask("a", SPARE)?.code == 0, "a host that is away is forgotten by itself");
    if !stage.sabotaged(Sabotage::NotDeleted) {
        bench.delete(&bench.server.node(SPARE)?)?;
    }
    for member in MEMBERS {
        bench.await_peer(member, address, false, SETTLED)?;
        bench.await_name(member, SPARE, None, SETTLED)?;
    }
    let again = bench.spare(SPARE)?;
    let back = ipv4_of(&again)?;
    bench.await_name("a", SPARE, Some(back), SETTLED)?;
    bench.must_reach("a", back)?;
    bench.retire(again)
}

fn mixed_versions(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    let older =
        bench.older().context("no older client is there; `tests/clients/go/build older` builds one")?;
    let clients = if stage.sabotaged(Sabotage::SameVersion) { bench.clients() } else { older };
    let spare = bench.spare_of(clients, SPARE)?;
    let (theirs, ours) = (version(&spare)?, version(bench.member("a")?)?);
    ensure!(theirs != ours, "both are {ours}");
    let address = ipv4_of(&spare)?;
    for member in MEMBERS {
        bench.must_reach(member, address)?;
        bench.must_reach(SPARE, bench.ipv4(member)?)?;
        bench.await_name(member, SPARE, Some(address), SETTLED)?;
        bench.await_name(SPARE, member, Some(bench.ipv4(member)?), SETTLED)?;
    }
    bench.retire(spare)
}

/// The daemon's own word, not the command line's.
fn version(client: &Tailscaled<'_>) -> Result<String> {
    let status = client.status()?;
    Ok(status["Version"].as_str().context("a client without a version")?.to_owned())
}

/// The host's address is known from before, as after a reboot; the service starts earlier than the client.
fn bind_early(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    let mut spare = bench.spare(SPARE)?;
    let (address, outside) = (ipv4_of(&spare)?, bench.outside(SPARE)?);
    spare.kill()?;
    let bound =
        if stage.sabotaged(Sabotage::BoundEverywhere) { std::net::Ipv4Addr::UNSPECIFIED } else { address };
    let told = Web::refused(bench.host(SPARE)?, bound)?;
    ensure!(told.contains("Cannot assign requested address"), "nginx says {told}");
    let mut web = Web::insist(bench.host(SPARE)?, address, SPARE, page())?;
    sleep(Duration::from_secs(1));
    for target in [address, outside] {
        ensure!(bench.is_closed(SPARE, target)?, "it serves at {target} before the mesh is up");
    }
    spare.start_again()?;
    until(SETTLED, "nginx to be served in the mesh", || {
        Ok(served(bench, "a", address, SPARE).is_ok().then_some(()))
    })?;
    ensure!(bench.is_closed(SPARE, outside)?, "it serves at {outside} too");
    ensure!(web.runs()?, "nginx has ended");
    bench.retire(spare)
}

fn bind_loss(stage: &mut Stage<'_>) -> Result<()> {
    let bench = &stage.bench;
    let mut spare = bench.spare(SPARE)?;
    let (address, outside) = (ipv4_of(&spare)?, bench.outside(SPARE)?);
    let before = bench.server.node(SPARE)?;
    let mut web = Web::start(bench.host(SPARE)?, address, SPARE, page())?;
    until(SETTLED, "nginx to be served in the mesh", || {
        Ok(served(bench, "a", address, SPARE).is_ok().then_some(()))
    })?;
    spare.kill()?;
    ensure!(bench.is_closed("a", address)?, "it is reached without the mesh");
    for (from, target) in [("b", outside), (SPARE, outside)] {
        ensure!(
            bench.is_closed(from, target)?,
            "{from} gets a connection at {target} while the mesh is lost"
        );
    }
    if !stage.sabotaged(Sabotage::NeverMended) {
        spare.start_again()?;
    }
    until(SETTLED, "nginx to be served again", || {
        Ok(served(bench, "a", address, SPARE).is_ok().then_some(()))
    })?;
    ensure!(web.runs()?, "nginx has ended");
    let after = bench.server.node(SPARE)?;
    ensure!(after["id"] == before["id"] && after["ipv4"] == before["ipv4"], "it is another node: {after}");
    bench.retire(spare)
}
