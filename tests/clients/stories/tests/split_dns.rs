//! Split DNS that takes the server's own name into the mesh: a client that has to find the relay again, as after every sleep, sends
//! and does not receive; the check says why, and the line that it prints heals it.
#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use client_stories::front::{self, NAME};
use lab::{Host, Lab, Process, SERVER_ADDRESS, Server, Tailscaled, server_binary, until};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(40);
const ID: &str = "dns.split-excludes-bootstrap";
/// The resolver of c4's home, which is its router, as at most homes.
const HOME: &str = "192.168.2.1";
/// One that everybody reaches, which the printed line names; in the lab it is the same one.
const PUBLIC: &str = "1.1.1.1";
/// A resolver in the network behind c1, which only who is in the mesh would reach.
const INSIDE: &str = "10.9.9.9";
const BEHIND: &str = "10.9.9.0/24";

fn config(certificate: &Path, key: &Path) -> String {
    format!(
        "server_url: {}\nlisten: {SERVER_ADDRESS}:443\ntls: {{cert_file: {}, key_file: {}}}\nrelay: {{stun: off}}\n",
        front::URL,
        certificate.display(),
        key.display()
    )
}

/// A server with a name and a certificate; c1 knows the name by itself, c4 asks for it.
fn open(lab: &Lab) -> Result<(Server<'_>, Process)> {
    let (srv, router) = (lab.host("srv")?, lab.host("r3")?);
    let authority = front::authority(srv)?;
    let (certificate, key) = front::certificate(srv, &authority, &format!("DNS:{NAME}"))?;
    let config = config(&certificate, &key);
    let server = Server::start_with(srv, &server_binary()?, &config, &[(SERVER_ADDRESS, 443)])?;
    front::furnish(&server)?;
    router.exec(&["ip", "address", "add", &format!("{PUBLIC}/32"), "dev", "lo"])?;
    let [home, public] = [HOME, PUBLIC].map(|ip| format!("--listen-address={ip}"));
    let name = format!("--host-record={NAME},{SERVER_ADDRESS}");
    let quiet =
        ["--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=", "--pid-file="];
    let words = [&["dnsmasq"], &quiet[..], &["--bind-interfaces", &home, &public, &name]].concat();
    let mut dnsmasq = router.spawn("dnsmasq", &words, &[])?;
    until(PATIENCE, "dnsmasq to listen", || {
        ensure!(dnsmasq.runs()?, "dnsmasq ended: {}", dnsmasq.logged()?);
        Ok((router.listens(HOME.parse()?, 53)? && router.listens(PUBLIC.parse()?, 53)?).then_some(()))
    })?;
    front::name(lab, &["c1"])?;
    lab.host("c4")?.feed(&["tee", "/etc/resolv.conf"], &format!("nameserver {HOME}\n"))?;
    for host in ["c1", "c4"] {
        front::trust(lab.host(host)?, &front::read(&authority.0)?)?;
    }
    Ok((server, dnsmasq))
}

/// The check, by the server's own word.
fn judged(server: &Server<'_>) -> Value {
    let output = server.try_meshctl(&["check", "--only", ID, "--json"]).unwrap();
    let report: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    report["checks"].as_array().unwrap().iter().find(|check| check["id"] == ID).unwrap().clone()
}

fn reaches(from: &Host, address: &str, seconds: &str) -> bool {
    let words = ["ping", "-n", "-c", "1", "-i", "0.5", "-w", seconds, address];
    from.try_exec(&words, PATIENCE).unwrap().success()
}

fn ipv4(client: &Tailscaled<'_>) -> String {
    client.addresses().unwrap().into_iter().find(|ip| ip.contains('.')).unwrap()
}

#[test]
fn split_dns_over_the_control_name_cuts_a_client_off_and_the_printed_line_heals_it() {
    let lab = Lab::start().unwrap();
    let (server, _dnsmasq) = open(&lab).unwrap();
    let [c1, c4] = ["c1", "c4"].map(|host| front::member(&lab, &server, host).unwrap());
    let (from, address) = (lab.host("c1").unwrap(), ipv4(&c4));
    until(PATIENCE, "c1 to know c4", || Ok((c1.peers()? == ["c4"]).then_some(()))).unwrap();
    assert!(reaches(from, &address, "20"));
    assert_eq!(judged(&server)["state"], "pass");

    c1.tailscale(&["set", &format!("--advertise-routes={BEHIND}")], PATIENCE).unwrap().ok().unwrap();
    let offered = || Ok(server.meshctl(&["route", "list"])?.to_string().contains(BEHIND).then_some(()));
    until(PATIENCE, "c1 to offer its network", offered).unwrap();
    let split = format!("{NAME}={INSIDE}");
    let refused = server.try_meshctl(&["dns", "set", "--split", &split]).unwrap();
    assert!(!refused.success() && refused.stderr.contains(NAME), "{refused:?}");
    server.meshctl(&["dns", "set", "--split", &split, "--force"]).unwrap();
    let told = || Ok(c4.netmap()?["DNS"]["Routes"].to_string().contains(INSIDE).then_some(()));
    until(PATIENCE, "c4 to be told", told).unwrap();
    let cut_off = || {
        c4.tailscale(&["debug", "break-derp-conns"], PATIENCE)?.ok()?;
        Ok((!reaches(from, &address, "4")).then_some(()))
    };
    until(PATIENCE, "c4 not to find the relay", cut_off).unwrap();
    assert_eq!(c4.state().unwrap(), "Running", "as far as it knows");
    let failed = judged(&server);
    assert_eq!(failed["state"], "fail", "{failed}");

    let findings = failed["findings"].as_array().unwrap();
    let fix = findings.iter().find(|f| f["state"] == "fail").and_then(|f| f["fix"].as_str()).unwrap();
    let words: Vec<&str> = fix.strip_prefix("meshctl ").unwrap().split_whitespace().collect();
    assert_eq!(words[..2], ["dns", "set"], "{fix}");
    server.meshctl(&words).unwrap();
    assert_eq!(judged(&server)["state"], "pass");
    until(PATIENCE, "c4 to receive", || Ok(reaches(from, &address, "3").then_some(()))).unwrap();
    assert_eq!(c4.state().unwrap(), "Running");
}
