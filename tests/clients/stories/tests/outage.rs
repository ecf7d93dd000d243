//! The server goes and comes back; the mesh stays.
#![cfg(test)]

use std::thread::sleep;
use std::time::Duration;

use client_stories::{Mesh, PingStream};
use lab::{Lab, Pong, until};

const ALL: [&str; 3] = ["c1", "c3", "c4"];
/// Long enough for every client to notice.
const OUTAGE: Duration = Duration::from_secs(8);
const RELAY_BACK: Duration = Duration::from_secs(30);
/// The longest pause of a client between two tries is 30 s.
const CONTROL_BACK: Duration = Duration::from_secs(45);
/// What a client says whose look at its network met the end of the server: it opens its sockets anew, and what it sends
/// until the path is found again goes to the relay, which is away.
const REBINDS: &str = "last netcheck reported send error. Rebinding";
/// Half a second of packets.
const LOST_BY_REBINDING: usize = 3;

#[test]
fn an_orderly_restart_costs_nothing() {
    let lab = Lab::start().unwrap();
    let mesh = Mesh::of_members(&lab, &ALL).unwrap();
    survives(mesh, |mesh| mesh.server.stop(Duration::from_secs(15)).unwrap());
}

#[test]
fn a_power_cut_costs_nothing() {
    let lab = Lab::start().unwrap();
    let mesh = Mesh::of_members(&lab, &ALL).unwrap();
    survives(mesh, |mesh| mesh.server.kill9().unwrap());
}

fn survives(mut mesh: Mesh<'_>, end_server: impl FnOnce(&mut Mesh<'_>)) {
    let (direct, relayed) = (mesh.ipv4("c3").unwrap(), mesh.ipv4("c4").unwrap());
    let path = mesh.client("c1").unwrap().ping("c3", true).unwrap();
    assert!(matches!(path, Pong::Direct(_)), "{path:?}");
    assert!(mesh.reaches("c1", &relayed).unwrap());
    mesh.await_online(&ALL, CONTROL_BACK).unwrap();
    let before = mesh.identities().unwrap();
    let stream = PingStream::start(mesh.lab.host("c1").unwrap(), &direct).unwrap();

    end_server(&mut mesh);
    sleep(OUTAGE);
    assert!(mesh.is_cut_off("c1", &relayed).unwrap(), "c4 is reached without a relay");
    mesh.server.start_again().unwrap();

    until(RELAY_BACK, "c4 to be reached through the relay", || {
        Ok(mesh.reaches("c1", &relayed)?.then_some(()))
    })
    .unwrap();
    // a newcomer is announced to everybody, so everybody listens again
    mesh.join("member", &["c2"]).unwrap();
    for host in ALL {
        let others: Vec<&str> = ALL.into_iter().filter(|other| *other != host).chain(["c2"]).collect();
        mesh.await_peers_within(CONTROL_BACK, host, &others).unwrap();
        assert_eq!(mesh.client(host).unwrap().state().unwrap(), "Running");
    }
    mesh.await_online(&["c1", "c2", "c3", "c4"], CONTROL_BACK).unwrap();
    let sum = stream.finish().unwrap();
    assert!(sum.sent >= 40, "the stream ran through the outage: {}", sum.sent);
    let told = told_by(&mesh, &["c1", "c3"]);
    let may_lose = if told.contains(REBINDS) { LOST_BY_REBINDING } else { 0 };
    assert!(sum.lost.len() <= may_lose, "packets of the direct tunnel: {sum:?}\n{told}");

    // nobody joined anew: same ids, addresses, keys and times
    let mut after = mesh.identities().unwrap();
    after.retain(|name, _| !name.starts_with("c2 "));
    assert_eq!(after, before);
}

/// What the clients at both ends of the tunnel logged.
fn told_by(mesh: &Mesh<'_>, hosts: &[&str]) -> String {
    hosts
        .iter()
        .map(|host| format!("--- {host}\n{}\n", mesh.client(host).unwrap().logged().unwrap()))
        .collect()
}
