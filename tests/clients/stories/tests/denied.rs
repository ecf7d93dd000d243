//! What the policy does not open is not there.
#![cfg(test)]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use client_stories::{Mesh, POLICY};
use lab::Lab;

/// What is promised is 2 s; machines that test are busy, and asking the clients takes some of it.
const AT_ONCE: Duration = Duration::from_secs(10);

#[test]
fn a_guest_is_alone_on_the_mesh() {
    let lab = Lab::start().unwrap();
    let mut mesh = Mesh::of_members(&lab, &["c1", "c3"]).unwrap();
    guest_joins(&mut mesh, "c2");
    let (member, guest) = (mesh.ipv4("c1").unwrap(), mesh.ipv4("c2").unwrap());

    // no member is told of the guest, the guest is told of nobody
    mesh.await_peers("c2", &[]).unwrap();
    for host in ["c1", "c3"] {
        mesh.await_peers(host, &[if host == "c1" { "c3" } else { "c1" }]).unwrap();
        let held = mesh.client(host).unwrap().netmap().unwrap().to_string();
        let key = mesh.server.node("c2").unwrap()["node_key"].as_str().unwrap().to_owned();
        assert!(!held.contains(&guest), "{host} holds the guest's address");
        assert!(!held.contains(&key), "{host} holds the guest's key");
    }

    // c1 and c2 are neighbours on one wire, and still nothing passes through the mesh
    assert!(mesh.reaches("c2", "192.168.1.11").unwrap(), "the wire itself works");
    assert!(mesh.is_cut_off("c2", &member).unwrap(), "guest to member");
    assert!(mesh.is_cut_off("c1", &guest).unwrap(), "member to guest");
    let lookup =
        lab.host("c2").unwrap().try_exec(&["getent", "hosts", "c1"], Duration::from_secs(15)).unwrap();
    assert!(!lookup.success(), "the guest looks up a member: {}", lookup.stdout);

    // a service on the member answers a member and not the guest
    let service: SocketAddr = format!("{member}:7000").parse().unwrap();
    let _listener = lab.host("c1").unwrap().in_network(|| TcpListener::bind(service)).unwrap().unwrap();
    let dial = |host: &str| {
        let connect = || TcpStream::connect_timeout(&service, Duration::from_secs(5));
        lab.host(host).unwrap().in_network(connect).unwrap()
    };
    dial("c3").unwrap();
    assert!(dial("c2").is_err());
}

#[test]
fn a_worker_is_reached_but_reaches_nobody() {
    let lab = Lab::start().unwrap();
    let mut mesh = Mesh::of_members(&lab, &["c1"]).unwrap();
    mesh.join("worker", &["c3"]).unwrap();
    mesh.await_peers("c1", &["c3"]).unwrap();
    mesh.await_peers("c3", &["c1"]).unwrap();

    assert!(mesh.reaches("c1", &mesh.ipv4("c3").unwrap()).unwrap(), "member to worker");
    assert!(mesh.is_cut_off("c3", &mesh.ipv4("c1").unwrap()).unwrap(), "worker to member");
}

#[test]
fn a_rule_taken_away_closes_and_given_back_opens() {
    let lab = Lab::start().unwrap();
    let mesh = Mesh::of_members(&lab, &["c1", "c3"]).unwrap();
    let other = mesh.ipv4("c3").unwrap();
    assert!(mesh.reaches("c1", &other).unwrap());

    mesh.server
        .set_policy(r#"{"tagOwners": {"tag:member": [], "tag:worker": [], "tag:guest": []}}"#)
        .unwrap();
    for host in ["c1", "c3"] {
        mesh.await_peers_within(AT_ONCE, host, &[]).unwrap();
    }
    assert!(mesh.is_cut_off("c1", &other).unwrap());

    mesh.server.set_policy(POLICY).unwrap();
    mesh.await_peers("c1", &["c3"]).unwrap();
    mesh.await_peers("c3", &["c1"]).unwrap();
    assert!(mesh.reaches("c1", &other).unwrap());
}

/// Joins a guest; a key that opens nothing is only given to who insists.
fn guest_joins(mesh: &mut Mesh<'_>, host: &str) {
    let file = mesh.lab.dir().join("guest.key");
    let create = ["key", "create", "--role", "guest", "--out", file.to_str().unwrap()];
    let refused = mesh.server.try_meshctl(&create).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(!file.exists(), "a refused key has a file");

    let insisting: Vec<&str> = create.iter().copied().chain(["--allow-no-access"]).collect();
    mesh.server.meshctl(&insisting).unwrap();
    mesh.join_with(host, &file).unwrap();
}
