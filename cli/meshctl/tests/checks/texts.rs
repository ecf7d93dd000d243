//! Playbooks and documents, broken and mended.

use std::{fs, path::Path};

use crate::bench::Bench;

fn sample(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/ansible");
    fs::canonicalize(root.join(name)).unwrap().display().to_string()
}

/// The check fails for the broken file, in this line, and passes (or finds nothing) for the mended one.
fn mended(id: &str, folder: &str, extension: &str, line: u64) {
    let bench = Bench::new();
    let judged = |which: &str| {
        bench.check(&format!("--only {id} --playbooks {}", sample(&format!("{folder}/{which}.{extension}"))))
    };
    let broken = judged("broken");
    assert_eq!((broken.code, broken.state(id).as_str()), (1, "fail"), "{}", broken.out);
    let check = broken.check(id);
    let failed = check["findings"].as_array().unwrap().iter().find(|f| f["state"] == "fail").unwrap().clone();
    assert_eq!(failed["place"]["line"], line, "{failed}");
    assert!(failed["fix"].is_string(), "{failed}");
    let corrected = judged("corrected");
    assert_ne!(corrected.state(id), "fail", "{}", corrected.out);
}

#[test]
fn a_variable_that_a_fresh_host_does_not_have() {
    mended("playbook.undefined-when-fresh", "default-user", "yml", 23);
    let bench = Bench::new();
    let line =
        format!("--only playbook.undefined-when-fresh --playbooks {}", sample("default-user/corrected.yml"));
    assert_eq!(bench.check(&line).ok().state("playbook.undefined-when-fresh"), "pass");
}

#[test]
fn a_key_without_tags() {
    mended("policy.no-legacy-keys", "legacy-key", "yml", 7);
}

#[test]
fn a_test_of_existence_where_content_matters() {
    mended("files.non-empty", "wazuh-agent", "yml", 12);
}

#[test]
fn a_ping_of_a_resolver() {
    mended("dns.resolver-protocol", "resolver", "md", 5);
}

#[test]
fn a_run_on_a_fresh_host_counts_for_what_was_run() {
    let bench = Bench::new();
    bench.write("play/site.yml", "- hosts: all\n  tasks: []\n");
    let id = "playbook.fresh-tested";
    let judged = || bench.check(&format!("--only {id} --playbooks play")).state(id);
    assert_eq!(judged(), "fail");
    bench.run("check --record-fresh play/fresh-run.json --playbooks play --second-run-changed 0").ok();
    assert_eq!(judged(), "pass");
    bench.write("play/site.yml", "- hosts: all\n  tasks: [{debug: {}}]\n");
    assert_eq!(judged(), "fail");
    bench.run("check --record-fresh play/fresh-run.json --playbooks play --second-run-changed 3").ok();
    assert_eq!(judged(), "fail");
    bench.write("play/fresh-run.json", "{");
    assert_eq!(judged(), "unknown");
}

#[test]
fn a_proxy_that_counts_connections() {
    let bench = Bench::new();
    let upgrade =
        "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $c;";
    let judged = |inside: &str| {
        bench.write("site.conf", &format!("server {{ server_name vpn.example.com;\n{inside}\nlocation / {{ proxy_pass http://127.0.0.1:8085; {upgrade} }} }}\n"));
        bench
            .check("--only proxy.limits --proxy-config site.conf --url https://vpn.example.com")
            .state("proxy.limits")
    };
    assert_eq!(judged("limit_conn addr 10;"), "fail");
    assert_eq!(judged(""), "pass");
    assert_eq!(judged("location /x {"), "unknown");
}

#[test]
fn a_configuration_with_a_key_that_nobody_reads() {
    let bench = Bench::new();
    let judged = |text: &str| {
        bench.write("mesh.yaml", text);
        bench.check("--only config.valid --only server.bind --config mesh.yaml --url https://203.0.113.1")
    };
    let renamed = judged("ip_prefixes: [100.64.0.0/10]\n");
    assert_eq!(renamed.state("config.valid"), "fail", "{}", renamed.out);
    assert_eq!(judged("listen: 127.0.0.1:8085\n").state("config.valid"), "pass");
}
