//! `meshctl quickstart` as a newcomer runs it: twice, with a key lost in between.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

const MESHCTL: &str = env!("CARGO_BIN_EXE_meshctl");

struct Quickstart {
    process: Child,
    said: Value,
}

impl Quickstart {
    /// Returns once it says that it is ready. Its loopback address is its own, so that fixed ports do not collide.
    fn run(folder: &Path) -> Self {
        let mut command = meshctl(folder, &["quickstart", "--json", "--listen", &address(84)]);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, said: serde_json::from_str(&line).unwrap() }
    }
    fn interrupt(mut self) -> Option<i32> {
        kill(Pid::from_raw(i32::try_from(self.process.id()).unwrap()), Signal::SIGINT).unwrap();
        self.process.wait().unwrap().code()
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One that is nobody else's, by process and by test.
fn address(test: u8) -> String {
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.{test}.{high}.{low}:8080")
}

fn meshctl(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(MESHCTL);
    command.args(words).env_clear().env("HOME", folder).current_dir(folder).stdin(Stdio::null());
    command
}

fn output(folder: &Path, words: &[&str]) -> Output {
    meshctl(folder, words).output().unwrap()
}

fn json(folder: &Path, words: &[&str]) -> Value {
    let output = output(folder, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn keys(said: &Value) -> Vec<(String, String)> {
    let roles = said["roles"].as_object().unwrap();
    let read = |file: &Value| fs::read_to_string(file["key_file"].as_str().unwrap()).unwrap();
    roles.iter().map(|(name, role)| (name.clone(), read(role))).collect()
}

#[test]
fn the_second_run_changes_nothing_but_what_no_longer_works() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();

    let first = Quickstart::run(folder);
    assert_eq!(first.said["changed"], true);
    assert_eq!(first.said["server_url"], format!("http://{}", address(84)));
    assert_eq!(first.said["data_dir"], folder.join("mesh-data").to_str().unwrap());
    let made = keys(&first.said);
    let names: Vec<_> = made.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["admin", "developer", "exit", "router", "server"]);
    for (name, role) in first.said["roles"].as_object().unwrap() {
        let file = role["key_file"].as_str().unwrap();
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        let join = format!("tailscale up --login-server=http://{} --auth-key=file:{file}", address(84));
        assert!(role["join"].as_str().unwrap().starts_with(&join), "{name}: {role}");
    }
    assert_eq!(json(folder, &["node", "list", "--json"])["nodes"], Value::Array(Vec::new()));
    let events = json(folder, &["event", "list", "--json"]).to_string();
    for (_, key) in &made {
        let secret = key.trim().rsplit_once("mk-auth-").unwrap().1.split_once('-').unwrap().1;
        assert!(!events.contains(secret), "a secret is in the log");
    }
    let again = output(folder, &["quickstart", "--listen", &address(84)]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("in use by another server"));
    assert_eq!(first.interrupt(), Some(0));

    let second = Quickstart::run(folder);
    assert_eq!(second.said["changed"], false);
    assert_eq!(keys(&second.said), made);
    json(folder, &["key", "revoke", "1", "--json"]);
    assert_eq!(second.interrupt(), Some(0));

    let third = Quickstart::run(folder);
    let now = keys(&third.said);
    let replaced: Vec<_> = now.iter().zip(&made).filter(|(a, b)| a != b).map(|(a, _)| a.0.as_str()).collect();
    assert_eq!(replaced, ["admin"]);
    assert_eq!(third.said["changed"], true);
    assert_eq!(third.interrupt(), Some(0));
}

/// What it prints last is a line to paste, wherever the data folder is.
#[test]
fn the_printed_line_finds_the_server() {
    let home = tempfile::tempdir().unwrap();
    let elsewhere = home.path().join("a mesh");
    let mut command = meshctl(home.path(), &["quickstart", "--listen", &address(85), "--data-dir"]);
    let mut process = command.arg(&elsewhere).stdout(Stdio::piped()).spawn().unwrap();
    let last = BufReader::new(process.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .find(|line| line.contains("Other verbs"))
        .unwrap();
    let started = Quickstart { process, said: Value::Null };
    let line = last.split('`').nth(1).unwrap().replacen("meshctl", MESHCTL, 1);
    let listed =
        Command::new("sh").args(["-c", &line]).env_clear().current_dir(home.path()).output().unwrap();
    assert!(listed.status.success(), "{line}: {}", String::from_utf8_lossy(&listed.stderr));
    assert_eq!(started.interrupt(), Some(0));
}
