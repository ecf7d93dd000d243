//! Changes of DNS reach streams at once, and nothing leads clients away from the names they need.

use std::time::Duration;

use api::{
    dns::{DELETE_RECORD, Edit, LIST, SET, SET_RECORD, SHOW, SetRecord},
    event, server,
};
use harness::Model;
use wire::DnsConfig;

use crate::house::{House, Setup};

const PROMISED: Duration = Duration::from_secs(2);

/// The official Rust client takes no part in DNS.
fn told(model: &Model, so: impl Fn(&DnsConfig) -> bool) -> bool {
    model.dns().is_none_or(so)
}

fn split(suffix: &str, to: &[&str]) -> Edit {
    let to = to.iter().map(|t| (*t).to_owned()).collect();
    Edit { split: [(suffix.to_owned(), to)].into(), ..Edit::default() }
}

fn record(name: &str, address: &str) -> SetRecord {
    SetRecord { name: name.into(), addresses: [address.parse().unwrap()].into(), force: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_an_open_stream_and_outlives_a_restart() {
    let house = House::open().await;
    let device = house.member("a").await;
    let mut listener = device.listen().await;
    listener.until("the start", |m| told(m, |dns| dns.proxied && dns.domains == ["mesh.internal"])).await;

    let edit = Edit {
        resolvers: Some(vec!["9.9.9.9".into(), "https://dns.example/q".into()]),
        search: Some(vec!["Corp.Example.".into()]),
        override_local: Some(true),
        ..split("corp.example", &["10.1.0.53:5353"])
    };
    let begun = std::time::Instant::now();
    assert!(house.admin.call(&SET, &[], &edit).await.unwrap().changed);
    listener.until("nameservers", |m| told(m, |dns| dns.resolvers.len() == 2)).await;
    let took = begun.elapsed();
    println!("nameservers at an open stream after {took:?}");
    assert!(took < PROMISED * 5, "{took:?}");
    assert!(!house.admin.call(&SET, &[], &edit).await.unwrap().changed);
    assert!(house.admin.call(&SET_RECORD, &[], &record("printer", "192.0.2.9")).await.unwrap().changed);
    let is_told = |m: &Model| {
        told(m, |dns| {
            let routed = dns.routes.get("corp.example").is_some_and(|to| to[0].addr == "10.1.0.53:5353");
            let extra = dns.extra_records.iter().any(|r| r.name == "printer.mesh.internal" && r.kind == "A");
            let searched = dns.domains == ["mesh.internal", "corp.example"];
            routed && extra && searched && dns.fallback_resolvers.is_empty()
        })
    };
    listener.until("split DNS and the record", is_told).await;
    listener.agrees_with(&device).await;

    let house = house.restart().await;
    let device = device.again(&house.at).await;
    let mut listener = device.listen().await;
    listener.until("the same after a restart", is_told).await;
    let local = Edit { override_local: Some(false), magic: Some(false), ..split("corp.example", &[]) };
    house.admin.call(&SET, &[], &local).await.unwrap();
    let back = |m: &Model| {
        told(m, |dns| {
            let fallen = dns.resolvers.is_empty() && dns.fallback_resolvers.len() == 2;
            fallen && dns.routes.is_empty() && !dns.proxied
        })
    };
    listener.until("fallbacks alone", back).await;
    house.admin.call(&DELETE_RECORD, &["printer"], &()).await.unwrap();
    listener.until("no record", |m| told(m, |dns| dns.extra_records.is_empty())).await;
    assert!(house.admin.call(&LIST, &[], &()).await.unwrap().records.is_empty());
    assert_eq!(house.admin.call(&DELETE_RECORD, &["printer"], &()).await.unwrap_err().code, "not_found");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leads_away_from_the_control_server_is_refused_unless_it_is_forced() {
    let server_url = Some("https://control.corp.example");
    let house = House::open_with(Setup { server_url, ..Setup::default() }).await;
    let trap = split("corp.example", &["100.64.0.9"]);
    let problem = house.admin.call(&SET, &[], &trap).await.unwrap_err();
    assert_eq!((problem.code.as_str(), problem.status), ("dns_trap", 422));
    assert!(problem.detail.contains("control.corp.example (the control server)"), "{problem:?}");
    assert!(problem.hint.is_some_and(|hint| hint.contains("--force")));
    let shown = house.admin.call(&SHOW, &[], &()).await.unwrap();
    assert!(shown.split.is_empty() && shown.dangers.is_empty(), "nothing was changed");

    let around = Edit {
        split: [trap.split.clone(), split("control.corp.example", &["9.9.9.9"]).split]
            .into_iter()
            .flatten()
            .collect(),
        ..Edit::default()
    };
    assert!(house.admin.call(&SET, &[], &around).await.unwrap().changed, "the name has a way of its own");
    let without = split("control.corp.example", &[]);
    assert_eq!(house.admin.call(&SET, &[], &without).await.unwrap_err().code, "dns_trap");
    let forced = Edit { force: true, ..without };
    assert_eq!(house.admin.call(&SET, &[], &forced).await.unwrap().outcome.dangers.len(), 1);
    let warnings = house.admin.call(&server::STATUS, &[], &()).await.unwrap().warnings;
    assert!(warnings.iter().any(|w| w.contains("control.corp.example")), "{warnings:?}");
    let asked = event::Query { kind: Some("dns_set".into()), ..event::Query::default() };
    let events = house.admin.call(&event::LIST, &[], &asked).await.unwrap().events;
    let bodies: Vec<_> = events.iter().map(|e| serde_json::to_string(e).unwrap()).collect();
    assert!(bodies.iter().any(|b| b.contains("despite") && b.contains("control.corp.example")), "{bodies:?}");
    let stolen = record("control.corp.example", "192.0.2.1");
    // The name is in danger already, and by another way than before it would still be.
    assert_eq!(house.admin.call(&SET_RECORD, &[], &stolen).await.unwrap_err().code, "dns_trap");
    house.close().await;
}
