//! What an operator changes of a connected device: its tags, and whether it is there at all.
#![cfg(test)]

use std::time::{Duration, Instant};

use anyhow::Result;
use client_stories::Mesh;
use lab::{Lab, SERVER_URL, until};

/// What is promised is 2 s; machines that test are busy.
const SOON: Duration = Duration::from_secs(10);
/// The longest pause of a client between two tries is 30 s.
const RECONNECTED: Duration = Duration::from_secs(45);

#[test]
fn tags_taken_and_given_and_a_deletion_arrive_at_every_open_tunnel() {
    let lab = Lab::start().unwrap();
    let mesh = Mesh::of_members(&lab, &["c1", "c2", "c3"]).unwrap();
    let [two, three] = ["c2", "c3"].map(|host| mesh.ipv4(host).unwrap());
    assert!(mesh.reaches("c1", &two).unwrap() && mesh.reaches("c1", &three).unwrap());

    let begun = Instant::now();
    mesh.server.meshctl(&["node", "tag", "c3", "tag:guest"]).unwrap();
    mesh.await_peers_within(SOON, "c1", &["c2"]).unwrap();
    mesh.await_peers_within(SOON, "c3", &[]).unwrap();
    println!("another tag is felt after {:?}", begun.elapsed());
    assert!(mesh.is_cut_off("c1", &three).unwrap(), "the tunnel was open");
    assert_eq!(mesh.client("c3").unwrap().state().unwrap(), "Running", "it is no peer's, and still a member");

    mesh.server.meshctl(&["node", "tag", "c3", "tag:member"]).unwrap();
    mesh.await_peers_within(SOON, "c1", &["c2", "c3"]).unwrap();
    assert!(mesh.reaches("c1", &three).unwrap(), "by the same address");

    let begun = Instant::now();
    mesh.server.meshctl(&["node", "delete", "c2"]).unwrap();
    mesh.await_peers_within(SOON, "c1", &["c3"]).unwrap();
    mesh.await_peers_within(SOON, "c3", &["c1"]).unwrap();
    println!("a deletion is felt by the others after {:?}", begun.elapsed());
    until(SOON, "the deleted client to ask for a login", || needs_login(&mesh, "c2")).unwrap();
    println!("a deletion is felt by the client itself after {:?}", begun.elapsed());
    assert!(mesh.is_cut_off("c1", &two).unwrap());
    assert!(mesh.reaches("c1", &three).unwrap(), "the others stay");
}

#[test]
fn who_is_deleted_while_away_asks_for_a_login_when_it_is_back_and_gets_in_again() {
    let lab = Lab::start().unwrap();
    let mut mesh = Mesh::of_members(&lab, &["c1", "c2"]).unwrap();
    lab.unplug("c2").unwrap();
    mesh.server.stop(SOON).unwrap();
    mesh.server.start_again().unwrap();
    mesh.server.meshctl(&["node", "delete", "c2"]).unwrap();
    mesh.await_peers_within(RECONNECTED, "c1", &[]).unwrap();
    let begun = Instant::now();
    lab.plug("c2").unwrap();
    until(RECONNECTED, "the deleted client to ask for a login", || needs_login(&mesh, "c2")).unwrap();
    println!("a deletion is felt by who was away {:?} after it is back", begun.elapsed());

    let fresh = mesh.server.create_key("member", "member-c2-again").unwrap();
    mesh.client("c2").unwrap().up(SERVER_URL, &fresh, "c2", &[]).unwrap();
    mesh.await_peers_within(RECONNECTED, "c1", &["c2"]).unwrap();
    assert!(mesh.reaches("c1", "c2").unwrap());
}

fn needs_login(mesh: &Mesh<'_>, host: &str) -> Result<Option<()>> {
    Ok((mesh.client(host)?.state()? == "NeedsLogin").then_some(()))
}
