//! Who leaves is gone everywhere.
#![cfg(test)]

use std::time::Duration;

use client_stories::Mesh;
use lab::{EPHEMERAL_GRACE, Lab, SERVER_URL, until};

const SOON: Duration = Duration::from_secs(20);
/// How long the server says nothing about a client that it lost.
const LEAVING_GRACE: Duration = Duration::from_secs(10);

#[test]
fn who_logs_out_is_gone_everywhere_and_may_come_back() {
    let lab = Lab::start().unwrap();
    let mesh = Mesh::of_members(&lab, &["c1", "c2", "c3"]).unwrap();
    let gone = mesh.ipv4("c2").unwrap();
    assert!(mesh.reaches("c1", &gone).unwrap());

    mesh.client("c2").unwrap().logout().unwrap();
    mesh.await_peers("c1", &["c3"]).unwrap();
    mesh.await_peers("c3", &["c1"]).unwrap();
    assert_eq!(mesh.client("c2").unwrap().state().unwrap(), "NeedsLogin");
    assert!(mesh.is_cut_off("c1", &gone).unwrap());
    assert!(mesh.reaches("c1", &mesh.ipv4("c3").unwrap()).unwrap(), "the others stay");

    // the spent key does not open the door again, a new one does
    let spent = lab.host("srv").unwrap().dir().join("member-c2.key");
    assert!(mesh.client("c2").unwrap().up(SERVER_URL, &spent, "c2", &["--timeout=8s"]).is_err());
    mesh.await_peers("c1", &["c3"]).unwrap();
    let fresh = mesh.server.create_key("member", "member-c2-again").unwrap();
    mesh.client("c2").unwrap().up(SERVER_URL, &fresh, "c2", &[]).unwrap();
    mesh.await_peers("c1", &["c2", "c3"]).unwrap();
    assert!(mesh.reaches("c1", "c2").unwrap());
    assert_eq!(mesh.ipv4("c2").unwrap(), gone, "the same machine has the same address");
}

#[test]
fn an_ephemeral_node_vanishes_when_it_logs_out() {
    let lab = Lab::start().unwrap();
    let mut mesh = Mesh::of_members(&lab, &["c1"]).unwrap();
    mesh.join("worker", &["c3"]).unwrap();
    mesh.await_peers("c1", &["c3"]).unwrap();
    assert_eq!(mesh.server.node("c3").unwrap()["ephemeral"], true);

    mesh.client("c3").unwrap().logout().unwrap();
    mesh.await_peers("c1", &[]).unwrap();
    until(SOON, "c3 to be off the server's list", || Ok(mesh.server.node("c3").is_err().then_some(())))
        .unwrap();
}

#[test]
fn an_ephemeral_node_that_stays_away_is_forgotten_and_others_are_not() {
    let lab = Lab::start().unwrap();
    let mut mesh = Mesh::of_members(&lab, &["c1", "c2"]).unwrap();
    mesh.join("worker", &["c3"]).unwrap();
    mesh.await_peers("c1", &["c2", "c3"]).unwrap();
    let worker = mesh.server.node("c3").unwrap();

    // back in time: it is the same node
    mesh.client_mut("c3").unwrap().kill().unwrap();
    mesh.client_mut("c3").unwrap().start_again().unwrap();
    let back = until(SOON, "c3 to know its address again", || Ok(mesh.ipv4("c3").ok())).unwrap();
    assert!(mesh.reaches("c1", &back).unwrap());
    assert_eq!(mesh.server.node("c3").unwrap()["id"], worker["id"]);

    // a member and the worker lose their power; only the worker is forgotten
    mesh.client_mut("c2").unwrap().kill().unwrap();
    mesh.client_mut("c3").unwrap().kill().unwrap();
    let limit = LEAVING_GRACE + EPHEMERAL_GRACE + SOON;
    mesh.await_peers_within(limit, "c1", &["c2"]).unwrap();
    assert!(mesh.server.node("c3").is_err());
    assert_eq!(mesh.server.node("c2").unwrap()["online"], false);
    assert_eq!(mesh.client("c1").unwrap().peer("c2").unwrap()["Online"], false);
}
