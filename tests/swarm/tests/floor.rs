//! The floors answer as a server would: nothing wrong under load, and gone with whoever started them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;

const SWARM: &str = env!("CARGO_BIN_EXE_swarm");
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// A floor that serves. The process ends with this.
struct Floor {
    child: Child,
    address: String,
    pid: String,
}

impl Floor {
    fn start(load: &str) -> Self {
        let mut child = Command::new(SWARM).args(["floor", load]).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let (address, pid) = ready(&mut said);
        assert_eq!(pid, child.id().to_string());
        Self { child, address, pid }
    }

    /// What the generator says of it.
    fn under(&self, load: &[&str]) -> Value {
        let whom = ["--address", &self.address, "--pid", &self.pid, "--seconds", "1", "--json"];
        let output = Command::new(SWARM).args(load).args(whom).output().unwrap();
        assert!(output.status.success(), "{load:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Address and process id, as the first line has them.
fn ready(said: &mut BufReader<ChildStdout>) -> (String, String) {
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    (ready["address"].as_str().unwrap().to_owned(), ready["pid"].to_string())
}

#[test]
fn every_question_gets_the_right_answer() {
    let told = Floor::start("stun").under(&["stun"]);
    assert_eq!(told["wrong"], 0);
    assert!(told["answered"].as_u64().unwrap() > 1000, "{told}");
    assert!(told["cpu_seconds"].as_f64().unwrap() > 0.0, "{told}");
}

/// Frames as long as a record, shorter, and longer than several; in the end some receivers do not read.
#[test]
fn every_packet_arrives_where_it_belongs() {
    for load in [
        &["relay", "--pairs", "3", "--senders", "2"][..],
        &["relay", "--pairs", "2", "--bytes", "40000", "--burst", "3"],
        &["relay", "--pairs", "10", "--bytes", "24", "--burst", "1", "--rate", "2000", "--stalled", "20"],
    ] {
        // One of its own: what another load left behind would be for clients with the same keys.
        let told = Floor::start("relay").under(load);
        assert_eq!((&told["wrong"], &told["ended"]), (&0.into(), &0.into()), "{load:?}: {told}");
        assert!(told["delivered"].as_u64().unwrap() > 100, "{load:?}: {told}");
    }
    let told = Floor::start("relay").under(&["relay", "--pairs", "0", "--idle", "40"]);
    assert_eq!(told["idle"]["connections"], 40);
}

#[test]
fn it_ends_with_whoever_started_it() {
    let mut shell = Command::new("sh")
        .args(["-c", "\"$0\" floor stun & cat", SWARM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(shell.stdout.take().unwrap());
    ready(&mut said);
    drop::<Option<ChildStdin>>(shell.stdin.take());
    shell.wait().unwrap();
    let (ended, end) = mpsc::channel();
    // The floor is the last that could write here.
    thread::spawn(move || ended.send(said.read_to_end(&mut Vec::new())));
    assert_eq!(end.recv_timeout(GONE_WITHIN).unwrap().unwrap(), 0);
}
