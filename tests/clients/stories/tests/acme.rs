//! Certificates from Pebble, an ACME authority: obtained by both kinds of proof, used by official clients, renewed in time.
#![cfg(test)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use client_stories::front::{self, NAME, text};
use lab::{Host, Lab, Process, SERVER_ADDRESS, Server, server_binary, until};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(40);
const DIRECTORY: &str = "https://172.30.0.10:14000/dir";
const MANAGEMENT: &str = "172.30.0.10:15000";

/// Pebble where `tests/acme/build` says that it is.
fn binary() -> Result<String> {
    let build = concat!(env!("CARGO_MANIFEST_DIR"), "/../../acme/build");
    let output = Command::new(build).output().context(build)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    Ok(text(&folder.join("pebble"))?.to_owned())
}

/// An authority on the server's host that gives certificates for so long; what signed its own certificate comes beside it.
fn pebble(srv: &Host, valid_seconds: u64) -> Result<(Process, PathBuf)> {
    let authority = front::authority(srv)?;
    let (certificate, key) = front::certificate(srv, &authority, &format!("IP:{SERVER_ADDRESS}"))?;
    let config = json!({"pebble": {
        "listenAddress": "172.30.0.10:14000",
        "managementListenAddress": MANAGEMENT,
        "certificate": certificate,
        "privateKey": key,
        "httpPort": 80,
        "tlsPort": 443,
        "retryAfter": {"authz": 1, "order": 1},
        "profiles": {"default": {"description": "for tests", "validityPeriod": valid_seconds}},
    }});
    let file = srv.dir().join("pebble.json");
    fs::write(&file, config.to_string())?;
    let words = [binary()?, "-config".into(), text(&file)?.to_owned()];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut process = srv.spawn("pebble", &words, &[("PEBBLE_VA_NOSLEEP", "1")])?;
    until(PATIENCE, "Pebble to listen", || {
        ensure!(process.runs()?, "it ended: {}", process.logged()?);
        Ok((srv.listens(SERVER_ADDRESS, 14000)? && srv.listens(SERVER_ADDRESS, 15000)?).then_some(()))
    })?;
    Ok((process, authority.0))
}

/// What Pebble's certificates are signed with in the end.
fn root(srv: &Host) -> Result<String> {
    let words = ["openssl", "s_client", "-quiet", "-connect", MANAGEMENT];
    let answer = srv.feed(&words, "GET /roots/0 HTTP/1.0\r\n\r\n")?.stdout;
    let start = answer.find("-----BEGIN CERTIFICATE-----").with_context(|| answer.clone())?;
    Ok(answer[start..].to_owned())
}

/// Serial number and issuer of what is shown there.
fn shown(host: &Host) -> Result<Option<String>> {
    let address = format!("{SERVER_ADDRESS}:443");
    let words = ["openssl", "s_client", "-connect", &address, "-servername", NAME];
    let talk = host.try_exec(&words, Duration::from_secs(10))?.stdout;
    if !talk.contains("-----BEGIN CERTIFICATE-----") {
        return Ok(None);
    }
    Ok(Some(host.feed(&["openssl", "x509", "-noout", "-serial", "-issuer"], &talk)?.stdout))
}

fn config(ca_file: &std::path::Path, more: &str) -> String {
    let ca_file = ca_file.display();
    format!(
        "server_url: https://{NAME}
listen: {SERVER_ADDRESS}:443
acme:
  directory: {DIRECTORY}
  ca_file: {ca_file}
  email: ops@mesh.test
{more}relay:
  stun: {SERVER_ADDRESS}:3478
"
    )
}

fn start<'lab>(srv: &'lab Host, config: &str) -> Result<Server<'lab>> {
    Server::start_with(srv, &server_binary()?, config, &[(SERVER_ADDRESS, 443)])
}

fn modes(srv: &Host) -> Result<String> {
    let folder = srv.dir().join("data/acme");
    Ok(srv.exec(&["find", text(&folder)?, "-type", "f", "-printf", "%m\\n"])?.stdout)
}

#[test]
fn clients_use_a_certificate_that_came_by_tls_alpn() {
    let lab = Lab::start().unwrap();
    let srv = lab.host("srv").unwrap();
    front::name(&lab, &["srv", "c1", "c4"]).unwrap();
    let (_pebble, ca_file) = pebble(srv, 90 * 86400).unwrap();
    let mut server = start(srv, &config(&ca_file, "")).unwrap();
    let begun = Instant::now();
    let first = until(PATIENCE, "a certificate", || shown(srv)).unwrap();
    println!("a certificate is shown after {:?}: {first}", begun.elapsed());
    assert!(first.contains("Pebble Intermediate"), "{first}");
    assert_eq!(modes(srv).unwrap(), "600\n600\n", "account and certificate");

    front::furnish(&server).unwrap();
    for host in ["c1", "c4"] {
        front::trust(lab.host(host).unwrap(), &root(srv).unwrap()).unwrap();
    }
    let [c1, c4] = ["c1", "c4"].map(|host| front::member(&lab, &server, host).unwrap());
    until(PATIENCE, "c1 to know c4", || Ok((c1.peers()? == ["c4"]).then_some(()))).unwrap();
    until(PATIENCE, "c4 to answer through the relay", || Ok(c1.ping("c4", false).ok())).unwrap();
    assert_eq!(c4.state().unwrap(), "Running");
    let status = server.meshctl(&["server", "status"]).unwrap();
    assert_eq!(status["status"]["warnings"], json!([]));

    server.stop(Duration::from_secs(15)).unwrap();
    server.start_again().unwrap();
    assert_eq!(shown(srv).unwrap(), Some(first), "a restart takes up what was kept");
}

#[test]
fn a_certificate_comes_by_http_once_the_authority_gets_through_and_is_renewed_in_time() {
    let lab = Lab::start().unwrap();
    let srv = lab.host("srv").unwrap();
    front::name(&lab, &["srv"]).unwrap();
    let (_pebble, ca_file) = pebble(srv, 12).unwrap();
    let at = |port| config(&ca_file, &format!("  http_listen: {SERVER_ADDRESS}:{port}\n"));
    let mut astray = start(srv, &at(81)).unwrap();
    let told = until(PATIENCE, "the reason", || {
        let warnings = astray.meshctl(&["server", "status"])?["status"]["warnings"].to_string();
        Ok(warnings.contains("does not accept").then_some(warnings))
    });
    let told = told.unwrap();
    assert!(
        told.contains("connection refused") && told.contains("port 80 of that name must lead here"),
        "{told}"
    );
    assert_eq!(shown(srv).unwrap(), None);
    astray.stop(Duration::from_secs(15)).unwrap();

    let _server = start(srv, &at(80)).unwrap();
    let first = until(PATIENCE, "a certificate", || shown(srv)).unwrap();
    let begun = Instant::now();
    until(PATIENCE, "another certificate", || Ok(shown(srv)?.filter(|next| *next != first))).unwrap();
    println!("another certificate is shown after {:?}", begun.elapsed());
    let ask = "GET /admin?x=1 HTTP/1.0\r\nHost: elsewhere.test\r\n\r\n";
    let plain =
        srv.feed(&["bash", "-c", "exec 3<>/dev/tcp/172.30.0.10/80; cat >&3; cat <&3"], ask).unwrap().stdout;
    assert!(plain.contains(&format!("https://{NAME}/admin?x=1")), "{plain}");
}
