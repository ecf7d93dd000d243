//! What swarm says to people who ask for what there is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

use std::process::{Command, Output};

fn swarm(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_swarm")).args(arguments).output().unwrap()
}

/// The exit code and the complaint.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let output = swarm(arguments);
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_cannot_be_done_is_said_with_its_reason() {
    for (arguments, code, why) in [
        (&["run", "churn", "--nodes", "1"][..], 2, "1 is not in 2.."),
        (&["run", "hop"][..], 2, "possible values"),
        (&["run", "churn", "--server", "http://127.0.0.1:1"][..], 2, "--key-file"),
        (&["run", "idle", "--rate", "5"][..], 1, "no rate"),
        (&["run", "churn", "--topology", "hub", "--nodes", "10"][..], 1, "more than 10 devices"),
        (&["run", "churn", "--spawn", "/nowhere/meshctl", "--nodes", "2"][..], 1, "/nowhere/meshctl"),
        (
            &["run", "churn", "--server", "https://127.0.0.1:1", "--key-file", "/dev/null"][..],
            1,
            "here are 0",
        ),
        (&["growth", "--nodes", "250"][..], 1, "two numbers of nodes"),
        (&["growth", "--topology", "groups"][..], 1, "mesh, hub and self only"),
        (&["growth", "--nodes", "0,250"][..], 1, "at least 64 nodes"),
        (&["soak", "--seconds", "1"][..], 2, "1 is not in 40.."),
    ] {
        let (found, complaint) = refused(arguments);
        assert_eq!(found, Some(code), "{arguments:?}: {complaint}");
        assert!(complaint.contains(why), "{arguments:?}: {complaint}");
    }
}

#[test]
fn a_server_of_somebody_else_can_be_given_what_it_needs() {
    let output = swarm(&["policy", "--topology", "hub"]);
    assert!(output.status.success());
    let policy: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(policy["tagOwners"].as_object().unwrap().len(), 3);
    assert_eq!(policy["acls"][0]["src"][0], "tag:swarm-2");
}

#[test]
fn every_verb_shows_how_it_is_used() {
    for verb in [&["bench"][..], &["run"], &["growth"], &["soak"], &["self-test"], &["policy"], &["floor"]] {
        let output = swarm(&[verb, &["--help"]].concat());
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains("Examples:\n  swarm "), "{verb:?}: {help}");
    }
}
