//! A relay away from its control server: devices without a direct way meet there, those of another mesh do not.
#![cfg(test)]

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use client_stories::{Mesh, POLICY, ROLES};
use lab::{Clients, Lab, Pong, Process, SERVER_ADDRESS, Server, Tailscaled, server_binary, until};

/// A process of its own on the server's host, which is the one that all networks reach.
const RELAY: Ipv4Addr = SERVER_ADDRESS;
const OTHER: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 2);
const PATIENCE: Duration = Duration::from_secs(30);

/// A relay that asks the server, and the file that the server needs of it.
fn relay(lab: &Lab) -> Result<(Process, String)> {
    let (host, binary) = (lab.host("srv")?, server_binary()?);
    let (data, file) = (host.dir().join("relay-data"), host.dir().join("relay.yaml"));
    fs::write(
        &file,
        format!(
            "hostname: {RELAY}\nlisten: {RELAY}:443\nstun: {RELAY}:3478\ndata_dir: {}\n\
             verify: http://{SERVER_ADDRESS}:8080\nverify_plain_http: true\nverify_every: 2s\nregion: {{code: away}}\n",
            data.display()
        ),
    )?;
    let [binary, file] = [binary, file].map(|path| path.to_str().map(str::to_owned));
    let (binary, file) = binary.zip(file).context("a path in UTF-8")?;
    let words = [&binary, "relay", "run", "--config", &file, "--log", "debug,hyper=info"];
    let mut process = host.spawn("relay", &words, &[])?;
    until(PATIENCE, "the relay to listen", || {
        ensure!(process.runs()?, "it ended: {}", process.logged()?);
        Ok(host.listens(RELAY, 443)?.then_some(()))
    })?;
    let map = lab.dir().join("relay-901.yaml");
    fs::write(&map, host.exec(&[&binary, "relay", "map", "--config", &file])?.stdout)?;
    Ok((process, map.to_str().context("a path in UTF-8")?.to_owned()))
}

/// A server whose only relay is that one.
fn server<'lab>(lab: &'lab Lab, host: &str, at: Ipv4Addr, map: &str) -> Result<Server<'lab>> {
    let config = format!(
        "server_url: http://{at}:8080\nlisten: {at}:8080\nrelay: {{enabled: false}}\nderp_maps: [{map}]\n"
    );
    Server::start_with(lab.host(host)?, &server_binary()?, &config, &[(at, 8080)])
}

#[test]
fn devices_meet_at_a_relay_of_its_own_and_those_of_another_mesh_do_not() {
    let lab = Lab::start().unwrap();
    let (mut relay, map) = relay(&lab).unwrap();
    let mut mesh = Mesh::of_server(&lab, server(&lab, "srv", SERVER_ADDRESS, &map).unwrap()).unwrap();
    // c4 is behind a firewall without UDP
    mesh.join("member", &["c1", "c4"]).unwrap();
    mesh.await_peers("c1", &["c4"]).unwrap();
    for (from, to) in [("c4", "c1"), ("c1", "c4")] {
        assert!(mesh.reaches(from, &mesh.ipv4(to).unwrap()).unwrap(), "{from} to {to}");
        let pong = mesh.client(from).unwrap().ping(to, false).unwrap();
        assert!(matches!(&pong, Pong::Relayed(region) if region == "away"), "{from} to {to}: {pong:?}");
    }

    let other = server(&lab, "r2", OTHER, &map).unwrap();
    other.set_policy(POLICY).unwrap();
    other.apply_roles(ROLES).unwrap();
    let key = other.create_key("member", "stranger").unwrap();
    let stranger = Tailscaled::start(lab.host("c3").unwrap(), &Clients::find().unwrap()).unwrap();
    let (login, key) =
        (format!("--login-server=http://{OTHER}:8080"), format!("--auth-key=file:{}", key.display()));
    // whether it counts as up without a relay is the client's own affair
    stranger.tailscale(&["up", "--timeout=5s", &login, &key], PATIENCE).unwrap();
    let said = |word: &str, from: &str| -> Result<bool> {
        let log = relay.logged()?;
        let mut lines = log.lines().filter(|line| line.contains(&format!("remote={from}:")));
        Ok(lines.any(|line| line.contains(word)))
    };
    let (r1, r2, r3) = ("172.30.0.1", "172.30.0.2", "172.30.0.3");
    until(PATIENCE, "the relay to turn the stranger away", || Ok(said("not admitted", r2)?.then_some(())))
        .unwrap();
    assert!(!said("relay: connected", r2).unwrap(), "it was let in");
    for ours in [r1, r3] {
        assert!(said("relay: connected", ours).unwrap() && !said("not admitted", ours).unwrap(), "{ours}");
    }

    // and it stops in order
    assert!(relay.stop(PATIENCE).unwrap().success());
}
