//! Recoveries without devices: from a plan alone, and by a backup.

use std::fs;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::house::House;

fn step<'a>(report: &'a Value, name: &str) -> &'a str {
    let steps = report["steps"].as_array().unwrap();
    let found = steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("{report}"));
    found["state"].as_str().unwrap()
}

fn planned() -> House {
    let house = House::open();
    house.ok(&["user", "create", "alice", "--display-name", "Alice Example"]);
    house.ok(&["dns", "set", "--resolver", "192.0.2.53"]);
    house.ok(&["reset", "plan", "--out", "reset.json", "--reason", "test", "--command", "cat >told.json"]);
    house
}

#[test]
fn a_server_that_was_reset_gets_everything_back_that_the_plan_knows() {
    let mut house = planned();
    let was = [["user", "list"], ["role", "list"], ["policy", "get"]].map(|words| house.ok(&words));
    house.stop();
    house.ok(&[
        "reset",
        "run",
        "--plan",
        "reset.json",
        "--data-dir",
        "mesh-data",
        "--no-backup",
        "--new-keys",
    ]);
    house.start();
    let plan = house.ok(&["recover", "plan", "--plan", "reset.json"]);
    assert_eq!((&plan["diagnosis"], &plan["changed"]), (&"another-server".into(), &false.into()));
    assert_eq!((step(&plan, "restore"), step(&plan, "users")), ("skipped", "pending"));
    let done = house.ok(&["recover", "run", "--plan", "reset.json"]);
    assert_eq!(done["over"], true, "{done}");
    for name in ["users", "policy", "dns", "roles", "keys", "laptops", "checks"] {
        assert_eq!(step(&done, name), "done", "{done}");
    }
    let logins = |list: &Value| list["users"][0]["login"].clone();
    assert_eq!(logins(&house.ok(&["user", "list"])), logins(&was[0]));
    assert_eq!(house.ok(&["role", "list"])["roles"], was[1]["roles"]);
    assert_eq!(house.ok(&["policy", "get"])["policy"], was[2]["policy"]);
    assert_eq!(house.ok(&["dns", "show"])["resolvers"][0], "192.0.2.53");

    assert_eq!(house.refused(&["recover", "run", "--plan", "reset.json"]).1, "begun");
    let again = house.ok(&["recover", "resume", "--journal", "reset.recovery.json"]);
    assert_eq!((&again["over"], &again["changed"]), (&true.into(), &false.into()), "{again}");
}

#[test]
fn a_backup_is_restored_rather_than_anything_made_anew() {
    let mut house = planned();
    let before = house.status();
    let archive = house.backup();
    house.stop();
    fs::remove_dir_all(house.path("mesh-data")).unwrap();
    let start = format!(
        "{} server run --config server.yaml --log error >/dev/null 2>&1 & echo $! > server.pid",
        env!("CARGO_BIN_EXE_meshctl")
    );
    let words = ["recover", "run", "--plan", "reset.json", "--backup", archive.to_str().unwrap()];
    let how = ["--age-identity", "ops.key", "--data-dir", "mesh-data", "--start-server", &start];
    let done = house.run(&[&words[..], &how, &["--json"]].concat());
    let pid = fs::read_to_string(house.path("server.pid")).unwrap();
    let after = house.status();
    kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGTERM).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    let done: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&done["over"], &done["diagnosis"]), (&true.into(), &"intact".into()), "{done}");
    assert_eq!((step(&done, "restore"), step(&done, "users")), ("done", "skipped"));
    assert_eq!((&after["database"], &after["public_key"]), (&before["database"], &before["public_key"]));
}

#[test]
fn a_server_that_does_not_answer_is_waited_for() {
    let mut house = planned();
    house.stop();
    let output = house.run(&["recover", "run", "--plan", "reset.json", "--json"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((step(&answer, "diagnose"), step(&answer, "users")), ("waiting", "pending"));
    house.start();
    let resumed = house.ok(&["recover", "resume", "--journal", "reset.recovery.json"]);
    assert_eq!((&resumed["over"], &resumed["diagnosis"]), (&true.into(), &"intact".into()), "{resumed}");
}
