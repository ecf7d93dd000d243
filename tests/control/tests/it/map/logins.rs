//! What a policy says beside reach: who may log in, what nodes are, which relays there are, where addresses come from.

use api::{policy, role, server, user};
use harness::{Identity, Model};
use http::Method;
use http_body_util::BodyExt;
use serde_json::Value;
use wire::{MapResponse, SshPolicy};

use crate::{
    admin::reusable,
    device::Device,
    house::{House, PATIENCE, set_policy},
};

const TAGS: &str = r#""tagOwners": {"tag:member": [], "tag:island": []}"#;
const RULE: &str = r#""acls": [{"action": "accept", "src": ["tag:member"], "dst": ["tag:island:22"]}]"#;
const SSH: &str = "https://tailscale.com/cap/ssh";

fn with(sections: &str) -> String {
    format!("{{{TAGS}, {RULE}, {sections}}}")
}

fn ssh(action: &str) -> String {
    let rule = r#""src": ["tag:member"], "dst": ["tag:island"], "users": ["root", "autogroup:nonroot"]"#;
    with(&format!(r#""ssh": [{{"action": "{action}", {rule}}}]"#))
}

fn has_cap(model: &Model, cap: &str) -> bool {
    model.node().is_some_and(|node| node.cap_map.contains_key(cap))
}

/// The callers of the only rule.
fn callers(policy: &SshPolicy) -> Vec<String> {
    let [rule] = &policy.rules[..] else { panic!("{policy:?}") };
    assert_eq!(rule.ssh_users["*"], "=");
    assert_eq!(rule.ssh_users["root"], "root");
    rule.principals.iter().map(|principal| principal.node_ip.to_string()).collect()
}

async fn addresses(devices: &[&Device]) -> Vec<String> {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for device in devices {
        let addresses = device.myself().await.addresses;
        v4.push(addresses.v4.to_string());
        v6.push(addresses.v6.to_string());
    }
    [v4, v6].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_ssh_come_with_filter_and_peers_and_go_with_the_policy() {
    let house = House::open().await;
    let (laptop, box_) = (house.member("laptop").await, house.island("box").await);
    let (mut ours, mut theirs) = (laptop.listen().await, box_.listen().await);
    assert!(theirs.go.view().ssh.rules.is_empty() && !has_cap(&theirs.go, SSH));

    set_policy(&house.admin, &ssh("accept")).await;
    for listener in [&mut ours, &mut theirs] {
        listener.until("that SSH is possible", |m| has_cap(m, SSH)).await;
    }
    // All of it in the message that brings the capability.
    assert_eq!(callers(&theirs.go.view().ssh), addresses(&[&laptop]).await);
    assert_eq!((theirs.go.peers().len(), theirs.go.view().rules.len()), (1, 1));
    assert!(ours.go.view().ssh.rules.is_empty(), "only who is logged in to is told");

    let other = house.member("other").await;
    let id = other.myself().await.id;
    theirs.until("the other laptop", |m| m.peer(id).is_some()).await;
    assert_eq!(callers(&theirs.go.view().ssh), addresses(&[&laptop, &other]).await);
    let fresh = box_.map().await;
    assert_eq!(callers(&fresh.ssh_policy.unwrap()), callers(&theirs.go.view().ssh));
    other.log_out().await;
    theirs.until("the other laptop gone", |m| m.peer(id).is_none()).await;
    theirs.agrees_with(&box_).await;
    assert_eq!(callers(&theirs.go.view().ssh), addresses(&[&laptop]).await);

    set_policy(&house.admin, &with(r#""ssh": []"#)).await;
    theirs.until("that SSH is not possible", |m| !has_cap(m, SSH)).await;
    assert!(theirs.go.view().ssh.rules.is_empty());
    theirs.agrees_with(&box_).await;
    ours.agrees_with(&laptop).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_must_be_checked_waits_for_a_page_and_only_the_node_itself_may_ask() {
    let house = House::open().await;
    set_policy(&house.admin, &ssh("check")).await;
    let (laptop, box_) = (house.member("laptop").await, house.island("box").await);
    let policy = box_.map().await.ssh_policy.unwrap();
    assert!(
        policy.rules[0].action.hold_and_delegate.contains("/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID")
    );
    assert!(!policy.rules[0].action.accept);

    let (from, to) = (laptop.myself().await.id, box_.myself().await.id);
    let ask = async |who: &Device, path: String| {
        let answer = who.client.call(Method::GET, &path, Vec::new()).await.unwrap();
        let (head, body) = answer.into_parts();
        (head.status.as_u16(), body.collect().await.unwrap().to_bytes())
    };
    let path = format!("/machine/ssh/action/{from}/to/{to}?local_user=root");
    let (status, body) = ask(&box_, path.clone()).await;
    let action: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &action["reject"], &action["accept"]), (200, &Value::Null, &Value::Null));
    assert!(action["message"].as_str().unwrap().contains("/ssh/"), "it is told a page");
    assert_eq!(ask(&laptop, path).await.0, 404, "it is not laptop that is logged in to");
    for nonsense in
        [format!("{from}/to/999"), format!("999/to/{to}"), "0/to/0".to_owned(), "a/to/b".to_owned()]
    {
        let (status, _) = ask(&box_, format!("/machine/ssh/action/{nonsense}")).await;
        assert!(status == 404 || status == 400, "{nonsense}: {status}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_must_be_recorded_comes_in_only_while_there_is_a_recorder() {
    let house = House::open().await;
    let (laptop, box_) = (house.member("laptop").await, house.island("box").await);
    let mut theirs = box_.listen().await;
    let recorded = |enforced: bool| {
        format!(
            r#"{{"tagOwners": {{"tag:member": [], "tag:island": [], "tag:tape": []}},
            "acls": [
                {{"action": "accept", "src": ["tag:member"], "dst": ["tag:island:22"]}},
                {{"action": "accept", "src": ["tag:island"], "dst": ["tag:tape:80"]}},
            ],
            "nodeAttrs": [{{"target": ["*"], "attr": ["alone"]}}],
            "ssh": [{{"action": "accept", "src": ["tag:member"], "dst": ["tag:island"], "users": ["root"],
                "recorder": ["tag:tape"], "enforceRecorder": {enforced}}}]}}"#
        )
    };
    set_policy(&house.admin, &recorded(true)).await;
    theirs.until("that SSH is possible", |m| has_cap(m, SSH)).await;
    assert!(theirs.go.view().ssh.rules.is_empty(), "nobody comes in unrecorded");

    let tags = Some(vec!["tag:tape".parse().unwrap()]);
    let set = role::Set { tags, reusable: Some(true), ..role::Set::default() };
    house.admin.call(&role::SET, &["tape"], &set).await.unwrap();
    let create = api::key::Create { role: "tape".into(), ..reusable() };
    let key = house.admin.key(&create).await;
    let tape = Device::connect(&house.at, Identity::random().unwrap(), "tape").await;
    assert_eq!(tape.register(Some(&key)).await.error, "");
    let own = tape.myself().await.addresses;
    let id = tape.myself().await.id;
    theirs.until("the recorder", |m| m.peer(id).is_some()).await;
    assert_eq!(theirs.go.view().ssh.rules.len(), 1);
    let action = theirs.go.view().ssh.rules[0].action.clone();
    let recorders: Vec<_> = action.recorders.iter().map(ToString::to_string).collect();
    assert_eq!(recorders, [format!("{}:80", own.v4), format!("[{}]:80", own.v6)]);
    let failure = action.on_recording_failure.unwrap();
    assert!(!failure.reject_session_with_message.is_empty());
    assert!(!failure.terminate_session_with_message.is_empty());
    theirs.agrees_with(&box_).await;

    tape.log_out().await;
    theirs.until("no recorder", |m| m.peer(id).is_none()).await;
    assert!(theirs.go.view().ssh.rules.is_empty());
    set_policy(&house.admin, &recorded(false).replace("alone", "together")).await;
    theirs.until("the other policy", |m| has_cap(m, "together")).await;
    let action = theirs.go.view().ssh.rules[0].action.clone();
    assert!(action.accept && action.recorders.is_empty() && action.on_recording_failure.is_none());
    theirs.agrees_with(&box_).await;
    drop(laptop);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_and_relays_of_a_policy_reach_who_listens() {
    let house = House::open().await;
    let (laptop, box_) = (house.member("laptop").await, house.island("box").await);
    let (mut ours, mut theirs) = (laptop.listen().await, box_.listen_plain().await);
    let before = ours.go.view().derp.unwrap();
    let region = r#"{"RegionID": 950, "RegionCode": "own", "RegionName": "Own", "Nodes": [
        {"Name": "950a", "RegionID": 950, "HostName": "relay.example.com", "DERPPort": 8443, "STUNPort": -1}]}"#;
    let sections = format!(
        r#""nodeAttrs": [{{"target": ["tag:island"], "attr": ["drive:share"]}}], "disableIPv4": true,
        "derpMap": {{"OmitDefaultRegions": true, "Regions": {{"950": {region}}}, "homeParams": {{"RegionScore": {{"950": 0.5}}}}}}"#
    );
    set_policy(&house.admin, &with(&sections)).await;
    let has_relay = |m: &Model| m.view().derp.is_some_and(|derp| derp.regions.keys().eq([&950]));
    for listener in [&mut ours, &mut theirs] {
        listener.until("IPv4 off and the relay", |m| has_cap(m, "disable-ipv4") && has_relay(m)).await;
    }
    assert!(has_cap(&theirs.go, "drive:share") && !has_cap(&ours.go, "drive:share"));
    let node = &ours.go.view().derp.unwrap().regions[&950].nodes[0];
    assert_eq!((node.host_name.as_str(), node.derp_port, node.stun_port), ("relay.example.com", 8443, -1));
    let score = ours.go.view().derp.and_then(|derp| derp.home_params?.region_score.get(&950)?.as_f64());
    assert_eq!(score, Some(0.5));
    let MapResponse { derp_map, .. } = box_.map().await;
    assert_eq!(derp_map, ours.go.view().derp);

    set_policy(&house.admin, &with(r#""nodeAttrs": []"#)).await;
    for listener in [&mut ours, &mut theirs] {
        listener.until("as before", |m| !has_cap(m, "disable-ipv4") && !has_relay(m)).await;
        assert_eq!(listener.go.view().derp.unwrap(), before);
    }
    ours.agrees_with(&laptop).await;
    theirs.agrees_with(&box_).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn newcomers_get_their_addresses_from_their_pool() {
    let house = House::open().await;
    let early = house.island("early").await.myself().await.addresses;
    let pool =
        |net: &str| with(&format!(r#""nodeAttrs": [{{"target": ["tag:island"], "ipPool": ["{net}"]}}]"#));
    set_policy(&house.admin, &pool("100.90.7.0/31")).await;
    let mut given = Vec::new();
    for name in ["one", "two"] {
        given.push(house.island(name).await.myself().await.addresses.v4.to_string());
    }
    given.sort();
    assert_eq!(given, ["100.90.7.0", "100.90.7.1"]);
    let create = api::key::Create { role: "island".into(), allow_no_access: true, ..reusable() };
    let key = house.admin.key(&create).await;
    let third = Device::connect(&house.at, Identity::random().unwrap(), "third").await;
    let answer = third.register(Some(&key)).await;
    assert!(answer.error.contains("no address is free"), "{}", answer.error);

    // Who has no pool gets no address out of one, here the very next.
    let next = house.world().next_ids().node.get();
    set_policy(&house.admin, &pool(&format!("100.64.0.{next}/32"))).await;
    let laptop = house.member("laptop").await.myself().await;
    assert_eq!(laptop.id.get(), next);
    assert_ne!(laptop.addresses.v4.octets()[3], next as u8);
    assert!(!early.v4.to_string().starts_with("100.90."));
    house.restart().await.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_fails_its_own_tests_is_refused_and_one_that_begins_to_fail_is_told_of() {
    let house = House::open().await;
    let before = house.admin.call(&policy::GET, &[], &()).await.unwrap().policy;
    let tests = |accept: &str, user: &str| {
        with(&format!(
            "\n\"tests\": [{{\"src\": \"tag:member\", \"accept\": [\"tag:island:{accept}\"]}}],\n\
             \"ssh\": [{{\"action\": \"accept\", \"src\": [\"alice@\"], \"dst\": [\"tag:island\"], \"users\": [\"root\"]}}],\n\
             \"sshTests\": [{{\"src\": \"alice@\", \"dst\": [\"tag:island\"], \"accept\": [\"{user}\"]}}]"
        ))
    };
    let create = user::Create { login: "alice".into(), display_name: None };
    house.admin.call(&user::CREATE, &[], &create).await.unwrap();
    for (text, line, said) in [
        (tests("23", "root"), 2, "tag:member -> tag:island:23: expected allowed, got denied"),
        (tests("22", "www"), 4, "alice@ -> www at tag:island (none yet): expected accepted, got denied"),
    ] {
        let problem =
            house.admin.call(&policy::SET, &[], &policy::Edit::of(&text).accepting()).await.unwrap_err();
        assert_eq!(problem.status, 422);
        assert_eq!((problem.errors.len(), problem.errors[0].line), (1, line), "{problem:?}");
        assert!(problem.errors[0].message.contains(said), "{problem:?}");
        let verdict = house.admin.call(&policy::CHECK, &[], &policy::Text { policy: text }).await.unwrap();
        assert!(!verdict.valid && verdict.errors[0].message.contains(said));
    }
    assert_eq!(house.admin.call(&policy::GET, &[], &()).await.unwrap().policy, before);

    set_policy(&house.admin, &tests("22", "root")).await;
    let status = async |house: &House| house.admin.call(&server::STATUS, &[], &()).await.unwrap();
    assert_eq!(status(&house).await.warnings, Vec::<String>::new());
    house.admin.call(&user::DELETE, &["alice"], &()).await.unwrap();
    let by = tokio::time::Instant::now() + PATIENCE;
    while status(&house).await.warnings.is_empty() {
        assert!(tokio::time::Instant::now() < by, "nobody is warned");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let house = house.restart().await;
    let warnings = status(&house).await.warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("alice@: names no device"), "{warnings:?}");
    house.close().await;
}
