//! A client that presents a node key which is not its own gets nothing and harms nobody.
#![cfg(test)]

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client_stories::Mesh;
use lab::Lab;
use serde_json::Value;

#[test]
fn a_stolen_node_key_is_worth_nothing_on_another_machine() {
    let lab = Lab::start().unwrap();
    let mut mesh = Mesh::of_members(&lab, &["c1", "c2", "c3"]).unwrap();
    let before = mesh.identities().unwrap();

    // c2 keeps its own machine key and takes c1's node key
    mesh.client_mut("c2").unwrap().kill().unwrap();
    let theirs = node_key(&mesh.client("c1").unwrap().state_file());
    replace_node_key(&mesh.client("c2").unwrap().state_file(), &theirs);
    mesh.client_mut("c2").unwrap().start_again().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(8));

    assert_ne!(mesh.client("c2").unwrap().state().unwrap(), "Running");
    assert!(mesh.reaches("c3", &mesh.ipv4("c1").unwrap()).unwrap(), "the owner of the key works on");
    assert!(mesh.is_cut_off("c2", &mesh.ipv4("c3").unwrap()).unwrap(), "the thief reaches nobody");
    assert_eq!(mesh.identities().unwrap(), before);
}

fn node_key(state: &Path) -> Value {
    let (_, profile) = profile(&read(state));
    profile["Config"]["PrivateNodeKey"].clone()
}

fn replace_node_key(state: &Path, key: &Value) {
    let mut all = read(state);
    let (name, mut profile) = profile(&all);
    assert_ne!(&profile["Config"]["PrivateNodeKey"], key);
    profile["Config"]["PrivateNodeKey"] = key.clone();
    all[name] = STANDARD.encode(profile.to_string()).into();
    std::fs::write(state, all.to_string()).unwrap();
}

fn read(state: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(state).unwrap()).unwrap()
}

/// The one profile of a client's state file: base64 of JSON under a name that starts with `profile-`.
fn profile(state: &Value) -> (String, Value) {
    let entries = state.as_object().unwrap();
    let (name, text) = entries.iter().find(|(name, _)| name.starts_with("profile-")).unwrap();
    let json = STANDARD.decode(text.as_str().unwrap()).unwrap();
    (name.clone(), serde_json::from_slice(&json).unwrap())
}
