//! What an operator changes of a connected device: its tags, and whether it is there at all.
#![cfg(test)]

use std::time::{Duration, Instant};

use client_stories::Mesh;
use lab::Lab;

/// What is promised is 2 s; machines that test are busy.
const SOON: Duration = Duration::from_secs(10);

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
    assert!(mesh.is_cut_off("c1", &two).unwrap());
    assert!(mesh.reaches("c1", &three).unwrap(), "the others stay");
}
