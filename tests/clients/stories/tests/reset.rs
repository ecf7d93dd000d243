//! A server that lost its database and its Noise key: the checks say so, and official clients come back.
#![cfg(test)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use client_stories::Mesh;
use lab::{Host, Lab, SERVER_URL, server_binary, until};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(30);
const BACK: Duration = Duration::from_secs(45);

/// The report of `meshctl check` on the server's host, where the public URL is reached.
fn check(host: &Host, only: &[&str], known: &Path) -> Value {
    let binary = server_binary().unwrap();
    let socket = host.dir().join("data").join("control.sock");
    let mut words: Vec<String> =
        vec![binary.display().to_string(), "--socket".into(), socket.display().to_string()];
    words.extend(["check", "--json", "--expect"].map(str::to_owned));
    words.push(known.display().to_string());
    for id in only {
        words.extend(["--only".to_owned(), (*id).to_owned()]);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = host.try_exec(&words, LIMIT).unwrap();
    serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

fn state(report: &Value, id: &str) -> String {
    let checks = report["checks"].as_array().unwrap_or_else(|| panic!("{report}"));
    let check = checks.iter().find(|c| c["id"] == id).unwrap();
    check["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_wiped_server_is_noticed_and_its_clients_come_back() {
    let lab = Lab::start().unwrap();
    let mut mesh = Mesh::of_members(&lab, &["c1", "c3"]).unwrap();
    let host = lab.host("srv").unwrap();
    let known = host.dir().join("known.json");
    mesh.server.meshctl(&["check", "--remember", known.to_str().unwrap()]).unwrap();
    let planned =
        mesh.server.meshctl(&["reset", "plan", "--out", "reset.json", "--reason", "a trial"]).unwrap();
    for told in planned["receipts"].as_array().unwrap() {
        assert!(told["channel"] == "client" && told["reached"] == true, "{planned}");
    }
    let said = || Ok(mesh.client("c1")?.status()?["Health"].to_string().contains("a trial").then_some(()));
    until(LIMIT, "c1 to show the notice", said).unwrap();
    let all = ["control.handshake", "clients.reregistered", "stun.answers", "derp.works"];
    let well = || {
        let report = check(host, &all, &known);
        Ok(all.iter().all(|id| state(&report, id) == "pass").then_some(()))
    };
    until(LIMIT, "everything to be well", well)
        .unwrap_or_else(|e| panic!("{e:#}: {}", check(host, &all, &known)));

    mesh.server.kill9().unwrap();
    fs::remove_dir_all(host.dir().join("data")).unwrap();
    fs::create_dir_all(host.dir().join("data")).unwrap();
    mesh.server.start_again().unwrap();
    let wiped = check(host, &all, &known);
    assert_eq!(state(&wiped, "control.handshake"), "fail", "{wiped}");
    assert_eq!(state(&wiped, "clients.reregistered"), "fail", "{wiped}");

    let words = ["recover", "run", "--plan", "reset.json", "--keys", "again"];
    let first = mesh.server.try_meshctl(&words).unwrap();
    assert!(first.stdout.contains("tailscale up --reset --force-reauth"), "{first:?}");
    for name in ["c1", "c3"] {
        let key = host.dir().join("again").join(format!("{name}.key"));
        mesh.client(name).unwrap().up(SERVER_URL, &key, name, &["--reset", "--force-reauth"]).unwrap();
    }
    mesh.await_peers_within(BACK, "c1", &["c3"]).unwrap();
    let other = mesh.ipv4("c3").unwrap();
    until(BACK, "c3 to be reached again", || Ok(mesh.reaches("c1", &other)?.then_some(()))).unwrap();
    let back = check(host, &["clients.reregistered"], &known);
    assert_ne!(state(&back, "clients.reregistered"), "fail", "{back}");
    let over = mesh.server.meshctl(&["recover", "resume", "--journal", "reset.recovery.json"]).unwrap();
    assert_eq!(over["over"], true, "{over}");
}
