//! How one policy takes the place of another: never wider by accident, never over somebody else's.

use api::{
    DEFAULT_TAILNET, code,
    policy::{Edit, GET, HISTORY, Page, Policy, SET, VERSION},
    role,
};
use http::{StatusCode, header};

use crate::house::{House, POLICY};

/// Members reach islands too.
const WIDER: &str = r#"{
    "tagOwners": {"tag:member": [], "tag:island": []},
    "acls": [
        {"action": "accept", "src": ["tag:member"], "dst": ["tag:member:*"]},
        {"action": "accept", "src": ["tag:member"], "dst": ["tag:island:22"]},
    ],
}"#;
const NARROWER: &str = r#"{"tagOwners": {"tag:member": [], "tag:island": []}, "acls": []}"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_widens_is_refused_until_it_is_meant() {
    let house = House::open().await;
    let mut member = house.member("a").await.listen().await;
    let problem = house.admin.call(&SET, &[], &Edit::of(WIDER)).await.unwrap_err();
    assert_eq!((problem.code.as_str(), problem.status), (code::WIDENS_ACCESS, 422));
    assert!(problem.hint.unwrap().contains("--accept-widening"));
    assert_eq!(problem.errors.len(), 1);
    let gain = &problem.errors[0];
    assert_eq!((gain.line, gain.message.as_str()), (5, "tag:member (1) → tag:island: 22"));
    assert_eq!(house.admin.call(&GET, &[], &()).await.unwrap().policy, POLICY);
    member.is_silent_for(std::time::Duration::from_millis(300)).await;
    assert!(house.admin.call(&SET, &[], &Edit::of(WIDER).accepting()).await.unwrap().changed);
    assert!(house.admin.call(&SET, &[], &Edit::of(NARROWER)).await.unwrap().changed);
    assert!(house.admin.call(&SET, &[], &Edit::of(POLICY)).await.is_err());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_gains_make_a_short_refusal() {
    let house = House::open().await;
    let rules: String = (1..=100)
        .map(|port| {
            format!(r#"{{"action": "accept", "src": ["tag:member"], "dst": ["tag:island:{port}"]}},"#)
        })
        .collect();
    let text = format!(r#"{{"tagOwners": {{"tag:member": [], "tag:island": []}}, "acls": [{rules}]}}"#);
    let problem = house.admin.call(&SET, &[], &Edit::of(text)).await.unwrap_err();
    assert_eq!(problem.code, code::WIDENS_ACCESS);
    assert_eq!(problem.errors.len(), 21);
    assert_eq!(problem.errors[20].message, "and 80 more");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_counts_before_it_has_a_device() {
    let house = House::open().await;
    let pair = |new: &str| {
        format!(
            r#"{{"tagOwners": {{"tag:member": [], "tag:island": [], "tag:new": []}},
            "acls": [{{"action": "accept", "src": ["tag:member"], "dst": ["tag:member:*"]}}{new}]}}"#
        )
    };
    let opened = pair(r#", {"action": "accept", "src": ["tag:new"], "dst": ["tag:member:22"]}"#);
    assert!(house.admin.call(&SET, &[], &Edit::of(&opened)).await.unwrap().changed, "nobody has the tag yet");
    house.admin.call(&SET, &[], &Edit::of(pair(""))).await.unwrap();
    let tags = Some(vec!["tag:new".parse().unwrap()]);
    house.admin.call(&role::SET, &["new"], &role::Set { tags, ..role::Set::default() }).await.unwrap();
    let problem = house.admin.call(&SET, &[], &Edit::of(&opened)).await.unwrap_err();
    assert_eq!(problem.code, code::WIDENS_ACCESS);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_editors_cannot_overwrite_each_other() {
    let house = House::open().await;
    let path = GET.declared().at(&[DEFAULT_TAILNET]).unwrap();
    let answer = house.admin.whole("GET", &path, &[], String::new()).await.unwrap();
    let tag = answer.headers()[header::ETAG].to_str().unwrap().to_owned();
    let policy: Policy = serde_json::from_str(answer.body()).unwrap();
    assert_eq!(tag, format!("\"{}\"", policy.etag));

    let edit = |text: &str| serde_json::to_string(&Edit::of(text).accepting()).unwrap();
    let put = async |text: &str| {
        let headers = [("if-match", tag.as_str())];
        house.admin.whole("PUT", &path, &headers, edit(text)).await.unwrap()
    };
    assert_eq!(put(WIDER).await.status(), StatusCode::OK);
    let late = put(NARROWER).await;
    assert_eq!(late.status(), StatusCode::CONFLICT);
    assert!(late.body().contains("policy_changed") && late.body().contains("hint"), "{}", late.body());
    let by_body = Edit { if_match: Some(policy.etag), ..Edit::of(NARROWER) };
    assert_eq!(house.admin.call(&SET, &[], &by_body).await.unwrap_err().status, 409);
    assert_eq!(house.admin.call(&GET, &[], &()).await.unwrap().policy, WIDER);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_editors_with_one_base_one_wins() {
    let house = House::open().await;
    let etag = house.admin.call(&GET, &[], &()).await.unwrap().etag;
    let edits = (0..8).map(|n| {
        let (admin, etag) = (house.admin.clone(), etag.clone());
        tokio::spawn(async move {
            let text = format!("{NARROWER} // {n}");
            admin.call(&SET, &[], &Edit { if_match: Some(etag), ..Edit::of(text) }).await
        })
    });
    let mut won = 0;
    for edit in edits.collect::<Vec<_>>() {
        match edit.await.unwrap() {
            Ok(done) => won += u32::from(done.changed),
            Err(problem) => assert_eq!((problem.code.as_str(), problem.status), ("policy_changed", 409)),
        }
    }
    assert_eq!(won, 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_policy_stays_known_with_its_words() {
    let house = House::open().await;
    let edit = Edit { message: Some("less\u{1b}[2J".into()), ..Edit::of(NARROWER) };
    house.admin.call(&SET, &[], &edit).await.unwrap();
    assert!(!house.admin.call(&SET, &[], &edit).await.unwrap().changed, "the same text is no new version");
    let house = house.restart().await;
    let versions = house.admin.call(&HISTORY, &[], &Page::default()).await.unwrap().versions;
    let told: Vec<_> = versions.iter().map(|v| (v.version, v.source.as_str())).collect();
    assert_eq!(told, [(2, "local"), (1, "local")]);
    assert!(versions[0].message.starts_with("less") && !versions[0].message.contains('\u{1b}'));
    assert!(versions[0].author.starts_with("socket:uid="));
    assert_eq!(house.admin.call(&VERSION, &["1"], &()).await.unwrap().policy, POLICY);
    for absent in ["0", "3", "x", "18446744073709551615"] {
        assert_eq!(house.admin.call(&VERSION, &[absent], &()).await.unwrap_err().status, 404);
    }
    let long = Edit { message: Some("x".repeat(501)), ..Edit::of(POLICY).accepting() };
    assert_eq!(house.admin.call(&SET, &[], &long).await.unwrap_err().code, "out_of_range");
    house.close().await;
}
