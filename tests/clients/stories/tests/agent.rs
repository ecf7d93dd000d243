//! The agent beside official clients: what it finds is seen at the server, it acknowledges a planned reset, and afterwards it joins
//! again on the operator's signed word and on no other.
#![cfg(test)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use client_stories::{Mesh, POLICY, ROLES};
use lab::{Host, Lab, Process, server_binary, until};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(45);
/// What the agent may hold itself, in KiB, whatever the build: pages of the program come to that, many in one for tests.
const MEMORY: u64 = 8 << 10;

/// The agent of a host, which is its own door here.
struct Agent<'lab> {
    host: &'lab Host,
    config: PathBuf,
    instruction: PathBuf,
}

impl<'lab> Agent<'lab> {
    fn of(host: &'lab Host, operator_key: &str) -> Self {
        let dir = host.dir();
        let socket = dir.join("tailscaled.sock");
        let (state, memory) = (dir.join("agent"), dir.join("memory"));
        for folder in [&state, &memory] {
            fs::create_dir_all(folder).unwrap();
        }
        let clients = lab::Clients::find().unwrap();
        let (config, instruction) = (dir.join("agent.yaml"), dir.join("instruction.json"));
        let up = [
            clients.tailscale.display().to_string(),
            format!("--socket={}", socket.display()),
            "up".into(),
            "--reset".into(),
            "--force-reauth".into(),
            "--timeout=60s".into(),
            "--login-server={url}".into(),
            "--auth-key=file:{key_file}".into(),
            format!("--hostname={}", host.name()),
        ];
        let recovery =
            json!({"operator_key": operator_key, "instruction": instruction, "command": up, "restart": []});
        let text = json!({
            "every_seconds": 5,
            "tailscale_socket": socket,
            "state_dir": state,
            "memory_dir": memory,
            "files": [{"path": config}],
            "recovery": recovery,
        });
        fs::write(&config, text.to_string()).unwrap();
        Self { host, config, instruction }
    }

    fn words<'a>(&'a self, binary: &'a Path, rest: &[&'a str]) -> Vec<&'a str> {
        [&[binary.to_str().unwrap(), "agent", "run", "--config", self.config.to_str().unwrap()], rest]
            .concat()
    }

    /// One round; its answer whatever it ended with.
    fn once(&self) -> Value {
        let binary = server_binary().unwrap();
        let output = self.host.try_exec(&self.words(&binary, &["--once", "--json"]), LIMIT).unwrap();
        serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
    }

    /// What one round says about a recovery.
    fn recovery(&self) -> String {
        self.once()["report"]["recovery"].as_str().unwrap_or_default().to_owned()
    }

    /// Anonymous memory of the one that runs.
    fn memory(running: &Process) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", running.pid().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    fn instruct(&self, mesh: &Mesh<'_>, operator: &str, name: &str) {
        let key = mesh.server.create_key("member", &format!("again-{name}")).unwrap();
        let out = self.instruction.to_str().unwrap();
        let words =
            ["agent", "instruct", "--operator-key", operator, "--node", self.host.name(), "--auth-key-file"];
        mesh.server.meshctl(&[&words[..], &[key.to_str().unwrap(), "--out", out]].concat()).unwrap();
        let mode = fs::metadata(&self.instruction).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds a key");
    }
}

fn operator(mesh: &Mesh<'_>, name: &str) -> String {
    let made = mesh.server.meshctl(&["agent", "operator-key", "--out", name]).unwrap();
    assert_eq!(made["changed"], true);
    made["operator_key"].as_str().unwrap().to_owned()
}

fn shown(mesh: &Mesh<'_>, name: &str) -> Value {
    mesh.server.meshctl(&["node", "show", name]).map(|shown| shown["agent"].clone()).unwrap_or_default()
}

/// Whether c1 is in the mesh no more: its server does not know it, or has told it to log in.
fn out(mesh: &Mesh<'_>) -> anyhow::Result<Option<()>> {
    let status = mesh.client("c1")?.status()?;
    Ok((status["BackendState"] != "Running" || status["Self"]["Online"] == false).then_some(()))
}

#[test]
fn an_agent_reports_acknowledges_a_reset_and_brings_its_node_back() {
    let lab = Lab::start().unwrap();
    let mut mesh = Mesh::of_members(&lab, &["c1", "c3"]).unwrap();
    let ours = operator(&mesh, "operator.key");
    operator(&mesh, "other.key");
    let agent = Agent::of(lab.host("c1").unwrap(), &ours);

    // A client needs some seconds to choose its relay.
    let well = || Ok((agent.once()["state"] == "pass").then_some(()));
    until(LIMIT, "everything to be well on c1", well).unwrap_or_else(|e| panic!("{e:#}: {}", agent.once()));
    assert_eq!(shown(&mesh, "c1")["state"], "pass");
    assert_eq!(shown(&mesh, "c3"), Value::Null);
    assert_eq!(agent.recovery(), "", "there is no instruction");

    let binary = server_binary().unwrap();
    let mut running = agent.host.spawn("agent", &agent.words(&binary, &[]), &[]).unwrap();
    let planned =
        mesh.server.meshctl(&["reset", "plan", "--out", "reset.json", "--reason", "a trial"]).unwrap();
    let receipts = planned["receipts"].as_array().unwrap();
    let detail = |name: &str| receipts.iter().find(|r| r["to"] == name).unwrap()["detail"].to_string();
    assert!(detail("c1").contains("agent acknowledged"), "{planned}");
    assert!(detail("c3").contains("connection took"), "{planned}");
    let resident = shown(&mesh, "c1")["report"]["memory_kib"].as_u64().unwrap();
    let own = Agent::memory(&running);
    println!("the agent has {resident} KiB resident, {own} KiB of it its own");
    assert!(own < MEMORY, "{own} KiB");

    // The database is another one, the keys are the same: the server does not know its clients, and they keep asking.
    mesh.server.stop(LIMIT).unwrap();
    let data = lab.host("srv").unwrap().dir().join("data");
    let words = ["reset", "run", "--plan", "reset.json", "--no-backup", "--data-dir", data.to_str().unwrap()];
    mesh.server.meshctl(&words).unwrap();
    mesh.server.start_again().unwrap();
    mesh.server.set_policy(POLICY).unwrap();
    mesh.server.apply_roles(ROLES).unwrap();
    until(LIMIT, "c1 to be out", || out(&mesh)).unwrap();

    agent.instruct(&mesh, "other.key", "other");
    assert!(agent.recovery().contains("not signed by the operator"), "{}", agent.recovery());
    assert_eq!(mesh.server.nodes().unwrap().len(), 0, "nobody has come back by himself");
    agent.instruct(&mesh, "operator.key", "ours");
    let back = || Ok(mesh.server.node("c1").is_ok_and(|node| node["online"] == true).then_some(()));
    until(LIMIT, "c1 to join again by itself", back).unwrap();
    assert_eq!(mesh.server.node("c1").unwrap()["tags"], json!(["tag:member"]));
    let told = || Ok((shown(&mesh, "c1")["state"] == "pass").then_some(()));
    until(LIMIT, "c1 to be well", told).unwrap();

    // Who is thrown out of the mesh that is there stays out, whatever instruction there is.
    agent.instruct(&mesh, "operator.key", "later");
    assert!(agent.recovery().contains("well where it is"), "{}", agent.recovery());
    mesh.server.meshctl(&["node", "delete", "c1"]).unwrap();
    until(LIMIT, "c1 to be out again", || out(&mesh)).unwrap();
    assert!(agent.recovery().contains("that very mesh"), "{}", agent.recovery());
    assert_eq!(mesh.server.nodes().unwrap().len(), 0);
    assert!(running.runs().unwrap(), "the agent lives on: {}", running.logged().unwrap());
}
