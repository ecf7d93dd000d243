//! The program as its users call it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::process::{Command, Output};

use serde_json::Value;

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_swarm-in-memory")).args(args).output().unwrap()
}

#[test]
fn two_fleets_in_one_process_are_told_the_truth() {
    let output = run(&["--nodes", "64,320", "--json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let growth: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    // What events cost so few is not judged here, so it may have ended with a failure.
    assert_eq!((&growth["topology"], &growth["nodes"]), (&"hub".into(), &serde_json::json!([64, 320])));
    assert_eq!((&growth["models_wrong"], &growth["errors"]), (&0.into(), &0.into()), "{said}");
    assert!(growth["models_checked"].as_u64() > Some(20), "{growth}");
    let events = growth["events"].as_array().unwrap();
    assert_eq!(events.len(), 5);
    for event in events {
        let costs = event["cpu_ms"].as_array().unwrap();
        assert!(costs.iter().all(|cost| cost.as_f64() > Some(0.0)), "{event}");
    }
}

#[test]
fn one_number_makes_no_slope() {
    let output = run(&["--nodes", "64"]);
    assert!(!output.status.success() && output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("a slope needs two numbers of nodes"), "{said}");
}
