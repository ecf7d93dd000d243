//! What a device is like decides whom it reaches, and is looked at as often as its client tells.

use harness::Model;

use crate::{
    device::Device,
    house::{House, set_policy},
};

const POLICY: &str = r#"{
    "tagOwners": {"tag:member": [], "tag:island": []},
    "postures": {"posture:new": ["node:os == 'macos'", "node:osVersion >= '14.2'"]},
    "acls": [
        {"action": "accept", "src": ["tag:member"], "srcPosture": ["posture:new"], "dst": ["tag:island:22"]},
    ],
}"#;

/// Tells the server what the machine runs.
async fn runs(device: &Device, os: &str, version: &str) {
    let mut request = device.me.report(&device.hostname, &[], 900);
    let hostinfo = request.hostinfo.as_mut().unwrap();
    (hostinfo.os, hostinfo.os_version) = (os.to_owned(), version.to_owned());
    device.client.lite_update(&request).await.unwrap();
}

fn filters(model: &Model) -> usize {
    model.view().rules.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_updated_gains_a_peer_and_who_falls_back_loses_it() {
    let house = House::open().await;
    let [laptop, island] = [house.member("laptop").await, house.island("island").await];
    let other = house.member("other").await;
    set_policy(&house.admin, POLICY).await;
    let ids = [laptop.myself().await.id, island.myself().await.id];
    let (mut ours, mut theirs) = (laptop.listen().await, island.listen().await);
    let mut others = other.listen().await;
    assert!(ours.go.peers().is_empty() && theirs.go.peers().is_empty() && filters(&theirs.go) == 0);

    runs(&laptop, "macOS", "14.10").await;
    ours.until("the island", |m| m.peer(ids[1]).is_some()).await;
    theirs.until("the laptop, let in", |m| m.peer(ids[0]).is_some() && filters(m) == 1).await;
    ours.agrees_with(&laptop).await;

    runs(&laptop, "macOS", "14.1").await;
    ours.until("nobody", |m| m.peers().is_empty()).await;
    theirs.until("nobody, and closed", |m| m.peers().is_empty() && filters(m) == 0).await;
    others.is_silent_for(std::time::Duration::from_millis(300)).await;
    house.close().await;
}
