//! A server that lost everything, and a router behind a jump host that joins again over SSH: real sshd, keys in an agent alone,
//! and nobody is trusted whose host key is unknown.
#![cfg(test)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use client_stories::Mesh;
use lab::{Clients, Host, Lab, Output, Process, server_binary, until};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);
/// The network behind the jump host, where the router is.
const OFFICE: &str = "192.168.1.0/24";
/// The jump host as the server's host reaches it, and the router as the jump host does.
const JUMP: (&str, &str) = ("r1", "172.30.0.1");
const ROUTER: (&str, &str) = ("c1", "192.168.1.11");

fn text(path: &std::path::Path) -> Result<&str> {
    path.to_str().context("a path in UTF-8")
}

/// An SSH key pair; its public half as a line.
fn pair(host: &Host, name: &str) -> Result<(PathBuf, String)> {
    let file = host.dir().join(name);
    host.exec(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "story", "-f", text(&file)?])?;
    let public = fs::read_to_string(host.dir().join(format!("{name}.pub")))?;
    Ok((file, public.trim().to_owned()))
}

/// An SSH server on the host that lets this key in as root; with its line for known hosts.
fn sshd(host: &Host, address: &str, authorized: &str) -> Result<(Process, String)> {
    let (key, public) = pair(host, "host-key")?;
    let dir = host.dir().display();
    fs::write(host.dir().join("authorized"), format!("{authorized}\n"))?;
    let config = format!(
        "ListenAddress {address}\nPort 22\nHostKey {}\nAuthorizedKeysFile {dir}/authorized\nPidFile none\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\nAllowTcpForwarding yes\nSetEnv PATH={dir}/bin:/usr/bin:/bin\n",
        key.display()
    );
    let file = host.dir().join("sshd_config");
    fs::write(&file, config)?;
    host.exec(&["mkdir", "-p", "/run/sshd"])?;
    let mut sshd = host.spawn("sshd", &["/usr/sbin/sshd", "-D", "-e", "-f", text(&file)?], &[])?;
    let ip = address.parse()?;
    until(PATIENCE, "sshd to listen", || {
        ensure!(sshd.runs()?, "sshd ended: {}", sshd.logged()?);
        Ok(host.listens(ip, 22)?.then_some(()))
    })?;
    Ok((sshd, format!("{address} {public}")))
}

/// `tailscale` as somebody who logs in there finds it.
fn command_line(host: &Host, clients: &Clients) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let (bin, socket) = (host.dir().join("bin"), host.dir().join("tailscaled.sock"));
    fs::create_dir_all(&bin)?;
    let script =
        format!("#!/bin/sh\nexec {} --socket={} \"$@\"\n", clients.tailscale.display(), socket.display());
    let file = bin.join("tailscale");
    fs::write(&file, script)?;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o755))?)
}

/// An agent that holds the operator's key, which then is nowhere else, and the configuration of ssh that names it.
fn agent(host: &Host, key: &std::path::Path) -> Result<(Process, PathBuf)> {
    let socket = host.dir().join("agent.sock");
    let agent = host.spawn("agent", &["ssh-agent", "-D", "-a", text(&socket)?], &[])?;
    let add = format!("SSH_AUTH_SOCK={} ssh-add -q {}", socket.display(), key.display());
    until(PATIENCE, "the agent to take the key", || host.exec(&["sh", "-c", &add]).map(|_| Some(())))?;
    fs::remove_file(key)?;
    let config = host.dir().join("ssh_config");
    let known = host.dir().join("known_hosts");
    let lines = format!(
        "IdentityAgent {}\nUserKnownHostsFile {}\nGlobalKnownHostsFile none\n",
        socket.display(),
        known.display()
    );
    fs::write(&config, lines)?;
    Ok((agent, config))
}

/// `meshctl recover VERB …` on the server's host, as an operator calls it.
fn recover(host: &Host, words: &[&str]) -> Result<Output> {
    let (binary, socket) = (server_binary()?, host.dir().join("data").join("control.sock"));
    let mut all = vec![text(&binary)?, "--socket", text(&socket)?, "recover"];
    all.extend(words);
    all.push("--json");
    host.try_exec(&all, Duration::from_secs(60))
}

fn step(report: &Output, name: &str) -> Value {
    let answer: Value = serde_json::from_str(&report.stdout).unwrap_or_else(|e| panic!("{e}: {report:?}"));
    let steps = answer["steps"].as_array().unwrap_or_else(|| panic!("{answer}"));
    steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("{answer}")).clone()
}

#[test]
fn a_router_behind_a_jump_host_joins_again_over_ssh() {
    let lab = Lab::start().unwrap();
    let [srv, jump, router] = ["srv", JUMP.0, ROUTER.0].map(|name| lab.host(name).unwrap());
    let mut mesh = Mesh::start(&lab).unwrap();
    mesh.join("member", &["c1"]).unwrap();
    router.exec(&["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"]).unwrap();
    let set = format!("--advertise-routes={OFFICE}");
    mesh.client("c1").unwrap().tailscale(&["set", &set], PATIENCE).unwrap().ok().unwrap();
    let approve =
        || Ok(mesh.server.try_meshctl(&["route", "approve", "c1", OFFICE])?.success().then_some(()));
    until(PATIENCE, "the route to be approved", approve).unwrap();
    mesh.server.meshctl(&["reset", "plan", "--out", "reset.json", "--reason", "a trial"]).unwrap();

    let (key, public) = pair(srv, "operator").unwrap();
    let door =
        ["nft", "insert", "rule", "inet", "fw", "input", "iifname", "wan", "tcp", "dport", "22", "accept"];
    jump.exec(&door).unwrap();
    let (_jump, jump_line) = sshd(jump, JUMP.1, &public).unwrap();
    let (_router, router_line) = sshd(router, ROUTER.1, &public).unwrap();
    command_line(router, &Clients::find().unwrap()).unwrap();
    let (_agent, config) = agent(srv, &key).unwrap();
    let at = |name: &str| srv.dir().join(name);
    let hosts = format!("hosts: [{{node: c1, ssh: root@{}, jump: [root@{}]}}]\n", ROUTER.1, JUMP.1);
    fs::write(at("hosts.yaml"), hosts).unwrap();

    mesh.server.kill9().unwrap();
    fs::remove_dir_all(at("data")).unwrap();
    fs::create_dir_all(at("data")).unwrap();
    mesh.server.start_again().unwrap();
    let (plan, keys, hosts) = (at("reset.json"), at("again"), at("hosts.yaml"));
    let [plan, keys, hosts, config] = [&plan, &keys, &hosts, &config].map(|path| text(path).unwrap());
    let words = ["run", "--plan", plan, "--keys", keys, "--hosts", hosts, "--ssh-config", config];
    let journal = at("reset.recovery.json");
    let resume = ["resume", "--journal", text(&journal).unwrap()];

    // The jump host is unknown, then the router behind it.
    fs::write(at("known_hosts"), "").unwrap();
    let mut report = recover(srv, &words).unwrap();
    for known in [jump_line.clone(), format!("{jump_line}\n{router_line}")] {
        let told = step(&report, "routers");
        assert_eq!(told["state"], "waiting", "{told}");
        assert!(told.to_string().contains("Host key verification failed"), "{told}");
        fs::write(at("known_hosts"), format!("{known}\n")).unwrap();
        report = recover(srv, &resume).unwrap();
    }
    assert_eq!(step(&report, "routers")["state"], "done", "{report:?}");
    let routes = || {
        let report = recover(srv, &resume)?;
        Ok((step(&report, "routes")["state"] == "done").then_some(()))
    };
    until(PATIENCE, "the routes to be back", routes).unwrap();
    let list = mesh.server.meshctl(&["route", "list"]).unwrap();
    let back = list["routes"].as_array().unwrap().iter().any(|r| {
        r["node"] == "c1" && r["prefix"] == OFFICE && r["approved"] == true && r["advertised"] == true
    });
    assert!(back, "{list}");
    assert_eq!(mesh.client("c1").unwrap().state().unwrap(), "Running");
}
