//! A resolver that drops pings and answers DNS, as that of a cloud network does: the check judges it by DNS, and finds the document
//! that pings it.
#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use lab::{Host, Lab, server_binary, until};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);
const ID: &str = "dns.resolver-protocol";
/// The address that the document pings.
const RESOLVER: &str = "10.0.0.2";
const DEAF: &str = "table inet deaf { chain input {
    type filter hook input priority 0; policy accept;
    icmp type echo-request drop
}
}
";

fn answers_a_ping(host: &Host) -> bool {
    host.try_exec(&["ping", "-n", "-c", "1", "-W", "1", RESOLVER], PATIENCE).unwrap().success()
}

/// The check, asked on this host of the resolver and of a document.
fn judged(host: &Host, document: &str) -> (Option<i32>, Value) {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ansible/resolver").join(document);
    let document = document.canonicalize().unwrap();
    let binary = server_binary().unwrap();
    let words = [binary.to_str().unwrap(), "check", "--json", "--only", ID, "--nameserver", RESOLVER];
    let words = [&words[..], &["--playbooks", document.to_str().unwrap()]].concat();
    let output = host.try_exec(&words, PATIENCE).unwrap();
    let report: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["id"] == ID);
    (output.status.code(), check.unwrap_or_else(|| panic!("{report}")).clone())
}

/// The finding about the resolver itself.
fn of_the_resolver(check: &Value) -> Value {
    let findings = check["findings"].as_array().unwrap();
    findings
        .iter()
        .find(|f| f.to_string().contains("answers DNS"))
        .unwrap_or_else(|| panic!("{check}"))
        .clone()
}

#[test]
fn a_resolver_that_drops_pings_passes_and_the_document_that_pings_it_does_not() {
    let lab = Lab::start().unwrap();
    let [resolver, asker] = ["c3", "r2"].map(|name| lab.host(name).unwrap());
    resolver.exec(&["ip", "address", "add", &format!("{RESOLVER}/24"), "dev", "eth0"]).unwrap();
    let listen = format!("--listen-address={RESOLVER}");
    let words = [
        "dnsmasq",
        "--no-daemon",
        "--no-resolv",
        "--no-hosts",
        "--conf-file=/dev/null",
        "--user=",
        "--pid-file=",
        "--bind-interfaces",
        &listen,
        "--address=/#/192.0.2.80",
    ];
    let mut dnsmasq = resolver.spawn("dnsmasq", &words, &[]).unwrap();
    until(PATIENCE, "dnsmasq to listen", || {
        anyhow::ensure!(dnsmasq.runs()?, "dnsmasq ended: {}", dnsmasq.logged()?);
        Ok(resolver.listens(RESOLVER.parse()?, 53)?.then_some(()))
    })
    .unwrap();
    assert!(answers_a_ping(asker), "the way to it is not there");
    let (_, check) = judged(asker, "corrected.md");
    assert!(!of_the_resolver(&check).to_string().contains("drops pings"), "{check}");

    resolver.feed(&["nft", "-f", "-"], DEAF).unwrap();
    assert!(!answers_a_ping(asker), "it still answers pings");
    let (code, check) = judged(asker, "corrected.md");
    assert_eq!((code, &check["state"]), (Some(0), &"pass".into()), "{check}");
    assert!(of_the_resolver(&check).to_string().contains("drops pings, which says nothing"), "{check}");

    let (code, check) = judged(asker, "broken.md");
    assert_eq!((code, &check["state"]), (Some(1), &"fail".into()), "{check}");
    assert_eq!(of_the_resolver(&check)["state"], "pass", "{check}");
    let findings = check["findings"].as_array().unwrap();
    let flagged = findings.iter().find(|f| f["state"] == "fail").unwrap();
    assert_eq!(flagged["place"]["line"], 5, "{flagged}");
    let fix = flagged["fix"].as_str().unwrap();
    assert!(fix.starts_with(&format!("dig @{RESOLVER}")), "{fix}");
}
