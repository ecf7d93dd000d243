//! Policies that are nothing, broken, or missing: never wider than before.

use ::policy::MAX_BYTES;
use api::{key, policy, user};
use harness::Identity;

use crate::{
    admin::reusable,
    house::{House, PATIENCE, POLICY, set_policy},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_no_policy_changes_nothing() {
    let house = House::open().await;
    let [a, _b] = [house.member("a").await, house.member("b").await];
    let mut listener = a.listen().await;
    let texts = [
        "",
        " ",
        "null",
        "[]",
        "{",
        "{\"acls\": 7}",
        "{\"unknown\": []}",
        "\0",
        "{\"acls\": [{\"action\": \"accept\"}]}",
        "{\"groups\": {\"group:a\": [\"group:b\"], \"group:b\": [\"group:a\"]}}",
    ];
    let deep = "[".repeat(100_000);
    let long = format!("{{}} // {}", "x".repeat(10 << 20));
    let nets: Vec<String> = (0..60_000u32).map(|n| format!("\"10.{}.{}.0/24\"", n >> 8, n & 255)).collect();
    let wide = format!("{{\"ipsets\": {{\"ipset:x\": [{}]}}}}", nets.join(","));
    for text in texts.into_iter().chain([deep.as_str(), &long, &wide]) {
        let input = policy::Edit::of(text);
        let answer = tokio::time::timeout(PATIENCE, house.admin.call(&policy::SET, &[], &input)).await;
        let problem = answer.expect("an answer").unwrap_err();
        let shown = &text[..text.len().min(60)];
        assert!([400, 413, 422].contains(&problem.status), "{shown:?}: {problem:?}");
        assert_eq!(house.admin.call(&policy::GET, &[], &()).await.unwrap().policy, POLICY);
    }
    listener.is_silent_for(std::time::Duration::from_millis(500)).await;
    assert_eq!(a.map().await.peers.unwrap().len(), 1);
    house.close().await;
}

/// As JSON it is nearly twice as long.
#[tokio::test(flavor = "multi_thread")]
async fn the_longest_policy_is_taken_whatever_it_is_written_with() {
    let house = House::open().await;
    let filling = MAX_BYTES - POLICY.len() - 4;
    let long = format!("{POLICY}\n// {}", "\"\t".repeat(filling / 2));
    set_policy(&house.admin, &long).await;
    assert_eq!(house.admin.call(&policy::GET, &[], &()).await.unwrap().policy, long);
    house.close().await;
}

/// The reference takes these, and so nobody is locked out of a policy by somebody else's leaving.
#[tokio::test(flavor = "multi_thread")]
async fn people_whom_nobody_knows_and_tags_that_own_each_other_open_nothing() {
    let house = House::open().await;
    let island = house.island("island").await;
    let mut listener = island.listen().await;
    let text = r#"{
        "groups": {"group:gone": ["ghost@example.com"]},
        "tagOwners": {"tag:member": ["tag:island"], "tag:island": ["tag:member"]},
        "acls": [{"action": "accept", "src": ["ghost@example.com", "group:gone", "tag:member"], "dst": ["tag:island:22"]}],
        "nodeAttrs": [{"target": ["tag:island"], "attr": ["told"]}],
    }"#;
    set_policy(&house.admin, text).await;
    listener.until("the policy", |m| m.node().is_some_and(|node| node.cap_map.contains_key("told"))).await;
    assert!(listener.go.peers().is_empty(), "{:?}", listener.go.peers());
    listener.agrees_with(&island).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_rule_nobody_sees_anybody_also_after_a_restart() {
    let house = House::open().await;
    let [a, b] = [house.member("a").await, house.member("b").await];
    let mut listener = a.listen().await;
    assert_eq!(listener.go.peers().len(), 1);
    set_policy(&house.admin, r#"{"tagOwners": {"tag:member": [], "tag:island": []}}"#).await;
    listener.until("nobody", |m| m.peers().is_empty() && m.view().rules.is_empty()).await;
    let house = house.restart().await;
    for device in [a, b] {
        let listener = device.again(&house.at).await.listen().await;
        assert!(listener.go.peers().is_empty() && listener.go.view().rules.is_empty());
    }
    house.close().await;
}

/// Whoever heard of the peers first would for a moment hold a peer that its filter does not know, or the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_reaches_everybody_in_one_message() {
    let house = House::open().await;
    let devices = [house.member("a").await, house.member("b").await, house.island("c").await];
    let mut listeners = Vec::new();
    for device in &devices {
        listeners.push(device.listen().await);
    }
    for (listener, device) in listeners.iter_mut().zip(&devices) {
        listener.agrees_with(device).await;
    }
    let tags = r#""tagOwners": {"tag:member": [], "tag:island": []}"#;
    for (policy, peers) in [
        (r#""acls": [{"action": "accept", "src": ["tag:island"], "dst": ["tag:member:22"]}]"#, [1, 1, 2]),
        (
            r#""grants": [{"src": ["tag:member"], "dst": ["tag:member"], "app": {"tailscale.com/cap/drive": []}}]"#,
            [1, 1, 0],
        ),
        (r#""acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]"#, [2, 2, 2]),
        ("", [0, 0, 0]),
    ] {
        let before: Vec<_> = listeners.iter().map(|l| (l.go.view().rules, l.go.peers().clone())).collect();
        set_policy(&house.admin, &format!("{{{tags}, {policy}}}")).await;
        for ((listener, before), peers) in listeners.iter_mut().zip(before).zip(peers) {
            listener.next().await;
            assert_eq!(listener.go.peers().len(), peers, "after {policy}");
            assert!(before.0 != listener.go.view().rules || before.1 != *listener.go.peers());
        }
        for (listener, device) in listeners.iter_mut().zip(&devices) {
            listener.is_silent_for(std::time::Duration::from_millis(200)).await;
            listener.agrees_with(device).await;
        }
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_goes_takes_no_other_persons_key_along() {
    let house = House::open().await;
    for login in ["alice", "bob"] {
        let create = user::Create { login: login.into(), display_name: None };
        house.admin.call(&user::CREATE, &[], &create).await.unwrap();
    }
    let of = |login: &str| key::Create { user: Some(login.into()), ..reusable() };
    let [alices, bobs] = [house.admin.key(&of("alice")).await, house.admin.key(&of("bob")).await];
    house.join(Identity::random().unwrap(), &alices, "alices").await;
    if house.admin.call(&user::DELETE, &["alice"], &()).await.is_ok() {
        assert!(house.world().user_by_login("alice").is_none());
    }
    assert!(house.world().user_by_login("bob").is_some());
    house.join(Identity::random().unwrap(), &bobs, "bobs").await;
    house.world().check_invariants().unwrap();
    house.restart().await.close().await;
}
