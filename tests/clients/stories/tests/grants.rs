//! What grants give beside ports, as the official client takes it.
#![cfg(test)]

use std::time::Duration;

use anyhow::bail;
use client_stories::{Mesh, POLICY};
use lab::{Lab, until};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);
const NET: &str = "10.77.0.0/16";

#[test]
fn a_capability_is_there_for_applications_and_goes_with_the_policy() {
    let lab = Lab::start().unwrap();
    let mesh = Mesh::of_members(&lab, &["c1", "c3"]).unwrap();
    mesh.server
        .set_policy(
            r#"{
                "tagOwners": {"tag:member": [], "tag:worker": [], "tag:guest": []},
                "ipsets": {"ipset:mesh": ["100.64.0.0/10", "fd7a:115c:a1e0::/48"]},
                "grants": [
                    {"src": ["tag:member"], "dst": ["tag:member"], "app": {"example.com/cap/shell": [{"as": "root"}]}},
                    {"src": ["autogroup:danger-all"], "dst": ["ipset:mesh"], "ip": ["icmp:*"]},
                ],
            }"#,
        )
        .unwrap();
    let member = mesh.ipv4("c1").unwrap();
    granted(&mesh, "c3", &member, &json!({"example.com/cap/shell": [{"as": "root"}]}));
    assert!(mesh.reaches("c1", &mesh.ipv4("c3").unwrap()).unwrap());

    mesh.server.set_policy(POLICY).unwrap();
    granted(&mesh, "c3", &member, &Value::Null);
}

#[test]
fn a_viewer_is_sent_by_the_routers_that_the_policy_names() {
    let lab = Lab::start().unwrap();
    let mut mesh = Mesh::start(&lab).unwrap();
    let via = |tag: &str| {
        format!(
            r#"{{
                "tagOwners": {{"tag:member": [], "tag:worker": [], "tag:guest": []}},
                "autoApprovers": {{"routes": {{"{NET}": ["tag:worker", "tag:guest"]}}}},
                "acls": [{{"action": "accept", "src": ["tag:member"], "dst": ["tag:worker:22", "tag:guest:22"]}}],
                "grants": [{{"src": ["tag:member"], "dst": ["{NET}"], "ip": ["*"], "via": ["{tag}"]}}],
            }}"#
        )
    };
    mesh.server.set_policy(&via("tag:guest")).unwrap();
    mesh.join("worker", &["c1"]).unwrap();
    mesh.join("guest", &["c3"]).unwrap();
    mesh.join("member", &["c2"]).unwrap();
    let advertise = format!("--advertise-routes={NET}");
    for router in ["c1", "c3"] {
        mesh.client(router).unwrap().tailscale(&["set", &advertise], PATIENCE).unwrap().ok().unwrap();
    }
    mesh.await_peers("c2", &["c1", "c3"]).unwrap();
    sent_by(&mesh, "c2", "c3", "c1");
    mesh.server.set_policy(&via("tag:worker")).unwrap();
    sent_by(&mesh, "c2", "c1", "c3");
}

/// Waits until the client on `host` knows exactly these capabilities of the peer with that address.
fn granted(mesh: &Mesh<'_>, host: &str, peer: &str, caps: &Value) {
    until(PATIENCE, &format!("{peer} to have {caps} on {host}"), || {
        let said = mesh.client(host)?.tailscale(&["whois", "--json", peer], PATIENCE)?.ok()?.stdout;
        let said: Value = serde_json::from_str(&said)?;
        if said["CapMap"] != *caps {
            bail!("it has {}", said["CapMap"]);
        }
        Ok(Some(()))
    })
    .unwrap();
}

/// Waits until the client on `host` has the network by the one router and not by the other.
fn sent_by(mesh: &Mesh<'_>, host: &str, router: &str, other: &str) {
    until(PATIENCE, &format!("{host} to be sent by {router}"), || {
        let routes =
            |name: &str| Ok::<_, anyhow::Error>(mesh.client(host)?.peer(name)?["PrimaryRoutes"].clone());
        if (routes(router)?, routes(other)?) != (json!([NET]), Value::Null) {
            bail!("{router} has {}, {other} has {}", routes(router)?, routes(other)?);
        }
        Ok(Some(()))
    })
    .unwrap();
}
