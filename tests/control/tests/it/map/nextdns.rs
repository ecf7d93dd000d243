//! NextDNS: the policy gives nodes profiles, and says whether NextDNS is told who asks.

use std::time::Duration;

use api::{
    dns::{Edit, SET},
    node, policy,
};
use harness::Model;

use crate::{
    device::Listener,
    house::{House, POLICY, set_policy},
};

const SILENCE: Duration = Duration::from_millis(300);

fn with_attributes(attributes: &str) -> String {
    POLICY.replacen('{', &format!("{{\"nodeAttrs\": [{attributes}],"), 1)
}

/// Whether the only global nameserver that the client was told of is this one. The official Rust client takes no part in DNS.
fn asks(model: &Model, url: &str) -> bool {
    model.dns().is_none_or(|dns| dns.resolvers.len() == 1 && dns.resolvers[0].addr == url)
}

async fn until_asked(listener: &mut Listener, url: &str) {
    listener.until(url, |m| asks(m, url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_and_who_asks_reach_each_node_by_policy_and_only_those_that_they_concern() {
    let house = House::open().await;
    let kids = r#"{"target": ["tag:island"], "attr": ["nextdns:kids", "nextdns:no-device-info"]}"#;
    set_policy(&house.admin, &with_attributes(kids)).await;
    let [laptop, tablet] = [house.member("laptop").await, house.island("tablet").await];
    let mut laptops = laptop.listen().await;
    let mut tablets = tablet.listen().await;
    let nextdns = "https://dns.nextdns.io/abc".to_owned();
    let edit = Edit {
        resolvers: Some(vec![nextdns.clone()]),
        override_local: Some(true),
        split: [("corp.example".to_owned(), vec![nextdns, "10.1.0.53".into()])].into(),
        ..Edit::default()
    };
    house.admin.call(&SET, &[], &edit).await.unwrap();
    let v4 = laptop.myself().await.addresses.v4;
    let url = |profile: &str, name: &str| {
        format!("https://dns.nextdns.io/{profile}?device_ip={v4}&device_model=linux&device_name={name}")
    };
    until_asked(&mut laptops, &url("abc", "laptop")).await;
    until_asked(&mut tablets, "https://dns.nextdns.io/kids").await;
    let split = |m: &Model| {
        let to =
            m.dns().map(|dns| dns.routes["corp.example"].iter().map(|r| r.addr.clone()).collect::<Vec<_>>());
        to.is_none_or(|to| to == ["https://dns.nextdns.io/kids", "10.1.0.53"])
    };
    assert!(split(&tablets.go), "of split DNS as well");

    let rename = node::Rename { name: "desk".into() };
    house.admin.call(&node::RENAME, &["laptop"], &rename).await.unwrap();
    until_asked(&mut laptops, &url("abc", "desk")).await;
    tablets.is_silent_for(SILENCE).await;

    let work = r#"{"target": ["tag:member"], "attr": ["nextdns:work"]}"#;
    let begun = std::time::Instant::now();
    set_policy(&house.admin, &with_attributes(&format!("{kids}, {work}"))).await;
    until_asked(&mut laptops, &url("work", "desk")).await;
    println!("another profile at an open stream after {:?}", begun.elapsed());
    tablets.is_silent_for(SILENCE).await;
    for (listener, device) in [(&mut laptops, &laptop), (&mut tablets, &tablet)] {
        listener.agrees_with(device).await;
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_none_is_refused_with_its_place() {
    let house = House::open().await;
    for bad in ["nextdns:", "nextdns:a/b", "nextdns:..", "nextdns:a?b=c", "nextdns:é"] {
        let text = with_attributes(&format!(r#"{{"target": ["*"], "attr": ["{bad}"]}}"#));
        let problem = house.admin.call(&policy::SET, &[], &policy::Edit::of(&text)).await.unwrap_err();
        let said = format!("{problem:?}");
        assert!(problem.status == 422 && said.contains("names no profile of NextDNS"), "{bad}: {said}");
    }
    house.close().await;
}
