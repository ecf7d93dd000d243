//! What a device is like decides whom it reaches, and is looked at as often as its client tells.

use std::collections::BTreeSet;

use harness::{Identity, Model};

use crate::{
    device::Device,
    house::{House, set_policy},
    waiting::{Guest, person, to_user},
};

const POLICY: &str = r#"{
    "tagOwners": {"tag:member": [], "tag:island": []},
    "postures": {"posture:new": ["node:os == 'macos'", "node:osVersion >= '14.2'"]},
    "acls": [
        {"action": "accept", "src": ["tag:member"], "srcPosture": ["posture:new"], "dst": ["tag:island:22"]},
    ],
}"#;

const OWN: &str = r#"{
    "tagOwners": {"tag:member": [], "tag:island": []},
    "postures": {"posture:new": ["node:os == 'macos'"]},
    "acls": [
        {"action": "accept", "src": ["autogroup:member"], "srcPosture": ["posture:new"], "dst": ["autogroup:self:22"]},
    ],
    "grants": [{
        "src": ["autogroup:member"], "srcPosture": ["posture:new"], "dst": ["autogroup:self"],
        "app": {"example.com/cap/run": [{"what": "say \"C:\\\\x\""}]},
    }],
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

/// Whom the filter lets in, by whichever rule.
fn sources(model: &Model) -> BTreeSet<String> {
    model.view().rules.into_iter().flat_map(|rule| rule.src_ips).collect()
}

async fn addresses(device: &Device) -> BTreeSet<String> {
    let own = device.myself().await.addresses;
    [own.v4.to_string(), own.v6.to_string()].into()
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

#[tokio::test(flavor = "multi_thread")]
async fn of_ones_own_devices_those_that_fit_reach_the_others() {
    let house = House::open().await;
    set_policy(&house.admin, OWN).await;
    let mut devices = Vec::new();
    for (login, name) in [("alice", "desk"), ("bob", "tablet")] {
        person(&house, login).await;
        let guest = Guest::come(&house, Identity::random().unwrap(), name).await;
        guest.let_in(&house, &to_user(login)).await;
        devices.push(guest.device);
    }
    let guest = Guest::come(&house, Identity::random().unwrap(), "phone").await;
    guest.let_in(&house, &to_user("alice")).await;
    let [desk, tablet, phone] = [&devices[0], &devices[1], &guest.device];
    let ids = [desk.myself().await.id, phone.myself().await.id];
    let (mut desks, mut phones) = (desk.listen().await, phone.listen().await);
    let mut tablets = tablet.listen().await;
    assert!(desks.go.peers().is_empty() && phones.go.peers().is_empty() && filters(&phones.go) == 0);

    runs(desk, "macOS", "14").await;
    desks.until("the phone", |m| m.peer(ids[1]).is_some() && filters(m) == 2).await;
    phones.until("the desk, let in", |m| m.peer(ids[0]).is_some() && filters(m) == 2).await;
    let told = serde_json::to_string(&phones.go.view().rules).unwrap();
    assert!(told.contains(r#"[{"what":"say \"C:\\\\x\""}]"#), "{told}");
    let (of_desk, of_phone) = (addresses(desk).await, addresses(phone).await);
    assert_eq!((sources(&desks.go), sources(&phones.go)), (of_desk.clone(), of_desk));
    desks.agrees_with(desk).await;
    phones.agrees_with(phone).await;
    tablets.is_silent_for(std::time::Duration::from_millis(300)).await;

    set_policy(&house.admin, &OWN.replace("macos", "linux")).await;
    phones.until("that it may reach the desk", |m| sources(m) == of_phone && m.peer(ids[0]).is_some()).await;
    desks.until("that the phone is let in", |m| sources(m) == of_phone && m.peer(ids[1]).is_some()).await;
    phones.agrees_with(phone).await;

    runs(phone, "macOS", "14").await;
    phones.until("nobody, and closed", |m| m.peers().is_empty() && filters(m) == 0).await;
    desks.until("nobody, and closed", |m| m.peers().is_empty() && filters(m) == 0).await;
    house.close().await;
}
