//! Another Noise key for the server: official clients keep the one that they know until they are started again.
#![cfg(test)]

use std::time::Duration;

use client_stories::Mesh;
use lab::{Lab, until};

const PATIENCE: Duration = Duration::from_secs(30);
const BOTH: [&str; 2] = ["c1", "c3"];

/// Which key each device uses, in the order of their names.
fn uses(mesh: &Mesh<'_>) -> Vec<String> {
    let shown = mesh.server.meshctl(&["server", "key", "list"]).unwrap();
    let devices = shown["previous"]["devices"].as_array().unwrap_or_else(|| panic!("{shown}"));
    let mut found: Vec<_> = devices
        .iter()
        .map(|device| format!("{} {}", device["name"].as_str().unwrap(), device["uses"].as_str().unwrap()))
        .collect();
    found.sort();
    found
}

fn await_uses(mesh: &Mesh<'_>, wanted: [&str; 2]) {
    until(PATIENCE, &format!("{wanted:?}"), || Ok((uses(mesh) == wanted).then_some(()))).unwrap();
}

#[test]
fn clients_keep_the_key_that_they_know_until_they_are_started_again() {
    let lab = Lab::start().unwrap();
    let mut mesh = Mesh::of_members(&lab, &BOTH).unwrap();
    let before = mesh.identities().unwrap();
    mesh.server.meshctl(&["server", "key", "rotate"]).unwrap();
    assert_eq!(uses(&mesh), ["c1 old", "c3 old"]);

    // Over the connections that they have.
    mesh.server.meshctl(&["node", "rename", "c3", "office"]).unwrap();
    mesh.await_peers("c1", &["office"]).unwrap();
    mesh.server.meshctl(&["node", "rename", "office", "c3"]).unwrap();

    // Over new ones, with the key that they fetched before: the server's start knows both.
    mesh.server.stop(PATIENCE).unwrap();
    mesh.server.start_again().unwrap();
    mesh.client_mut("c3").unwrap().start_again().unwrap();
    await_uses(&mesh, ["c1 old", "c3 new"]);
    mesh.await_online(&BOTH, PATIENCE).unwrap();
    let refused = mesh.server.try_meshctl(&["server", "key", "retire"]).unwrap();
    assert!(!refused.success() && refused.stderr.contains("c1"), "{refused:?}");
    assert!(!refused.stderr.contains("c3"), "{refused:?}");

    mesh.client_mut("c1").unwrap().start_again().unwrap();
    await_uses(&mesh, ["c1 new", "c3 new"]);
    let retired = mesh.server.meshctl(&["server", "key", "retire"]).unwrap();
    assert_eq!((&retired["changed"], &retired["previous"]), (&true.into(), &serde_json::Value::Null));
    mesh.await_peers("c1", &["c3"]).unwrap();
    let other = mesh.ipv4("c3").unwrap();
    assert!(mesh.reaches("c1", &other).unwrap());
    assert_eq!(mesh.identities().unwrap(), before, "nobody registered anew");
}
