//! Policies that are nothing, broken, or missing: never wider than before.

use api::{key, policy, user};
use harness::Identity;

use crate::{
    admin::reusable,
    house::{House, POLICY, set_policy},
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
    ];
    for text in texts {
        let input = policy::Edit::of(text);
        let problem = house.admin.call(&policy::SET, &[], &input).await.unwrap_err();
        assert!(problem.status == 422 || problem.status == 400, "{text:?}: {problem:?}");
        assert_eq!(house.admin.call(&policy::GET, &[], &()).await.unwrap().policy, POLICY);
    }
    listener.is_silent_for(std::time::Duration::from_millis(500)).await;
    assert_eq!(a.map().await.peers.unwrap().len(), 1);
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
