//! What is said about tags before there is a device with them, and who is meant when a device has an owner too.

use std::net::{Ipv4Addr, Ipv6Addr};

use ident::Tag;
use policy::{Compiled, Policy, Subject};

const STARTER: &str = include_str!("../../../control/templates/starter-policy.hujson");

#[test]
fn the_starter_policy_is_one() {
    let policy = Policy::parse(STARTER).unwrap();
    let compiled = Compiled::compile(&policy);
    for tag in policy.tags() {
        let access = compiled.opens(std::slice::from_ref(tag));
        assert!(!access.is_nothing(), "{tag}");
        assert!(!policy.may_own("alice@example.com", tag));
        let approved: &[&str] = match tag.name() {
            "router" => &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
            "exit" => &["exit node"],
            _ => &[],
        };
        assert_eq!(access.approves_for, approved, "{tag}");
    }
    let reach = compiled.reach(&["tag:developer".parse().unwrap()]);
    let texts: Vec<_> = reach.reaches.iter().map(|line| format!("{}:{}", line.to, line.ports)).collect();
    assert_eq!(texts, ["tag:server:22,80,443"]);
    let from: Vec<_> = reach.reached_by.iter().map(|line| format!("{}:{}", line.from, line.ports)).collect();
    assert_eq!(from, ["tag:admin:*"]);
}

#[test]
fn networks_behind_a_router_count() {
    let text = r#"{
        "tagOwners": {"tag:gw": [], "tag:exit": []},
        "groups": {"group:ops": ["alice@"]},
        "acls": [
            {"action": "accept", "src": ["group:ops"], "dst": ["10.1.0.0/16:443", "tag:gw:22"]},
            {"action": "accept", "src": ["bob@"], "dst": ["autogroup:internet:*"], "proto": "udp"},
            {"action": "accept", "src": ["bob@"], "dst": ["192.168.0.0/16:*"]},
            {"action": "accept", "src": ["10.2.0.0/16"], "dst": ["bob@:9100"]},
            {"action": "accept", "src": ["10.2.0.0/16"], "dst": ["bob@:9100"]},
        ],
        "autoApprovers": {"routes": {"10.0.0.0/8": ["tag:gw"]}, "exitNode": ["tag:exit"]},
    }"#;
    let compiled = Compiled::compile(&Policy::parse(text).unwrap());
    let tag = |text: &str| -> Vec<Tag> { vec![text.parse().unwrap()] };

    let gateway = compiled.opens(&tag("tag:gw"));
    assert_eq!((gateway.as_source, gateway.as_destination), (vec![3, 4], vec![0]));
    let reach = compiled.reach(&tag("tag:gw"));
    let line = &reach.reached_by[0];
    assert_eq!((line.from.as_str(), line.ports.as_str(), line.proto.as_str()), ("group:ops", "22,443", ""));
    assert_eq!((reach.reached_by.len(), reach.reaches.len()), (1, 1), "each once");
    assert_eq!((reach.reaches[0].to.as_str(), reach.reaches[0].line), ("bob@", 8));

    let exit = compiled.opens(&tag("tag:exit"));
    assert_eq!((exit.as_source, exit.as_destination), (vec![], vec![1]));
    let line = &compiled.reach(&tag("tag:exit")).reached_by[0];
    assert_eq!((line.from.as_str(), line.ports.as_str(), line.proto.as_str()), ("bob@", "*", "udp"));
    assert_eq!((compiled.rule_source_line(1), compiled.rules()[1].key.as_str()), (6, "r0001"));
}

#[test]
fn a_tagged_device_is_not_its_owner() {
    let text = r#"{
        "tagOwners": {"tag:web": ["alice@"]},
        "acls": [{"action": "accept", "src": ["alice@"], "dst": ["*:*"]}],
        "autoApprovers": {"routes": {"10.0.0.0/8": ["alice@", "autogroup:member"]}, "exitNode": ["alice@"]},
    }"#;
    let compiled = Compiled::compile(&Policy::parse(text).unwrap());
    let tags: Vec<Tag> = vec!["tag:web".parse().unwrap()];
    let (v4, v6) = (Ipv4Addr::new(100, 64, 0, 1), Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 1));
    let of = |tags, login| Subject { tags, login, v4, v6, routes: &[], traits: None };
    let (net, exit) = ("10.1.0.0/16".parse().unwrap(), "0.0.0.0/0".parse().unwrap());
    for (subject, right) in
        [(of(&tags, Some("alice")), false), (of(&[], Some("Alice")), true), (of(&[], None), false)]
    {
        assert_eq!(compiled.auto_approves(&subject, &net), right);
        assert_eq!(compiled.auto_approves(&subject, &exit), right);
        assert_eq!(compiled.is_source(&compiled.signature(&subject), 0), right);
    }
}

/// Asking about what is not there is answered, not a crash.
#[test]
fn a_rule_that_does_not_exist_opens_nothing() {
    let compiled = Compiled::compile(&Policy::parse(STARTER).unwrap());
    let nobody = Compiled::compile(&Policy::deny_all());
    let (v4, v6) = (Ipv4Addr::new(100, 64, 0, 1), Ipv6Addr::UNSPECIFIED);
    let tags: Vec<Tag> = vec!["tag:admin".parse().unwrap()];
    let subject = Subject { tags: &tags, login: None, v4, v6, routes: &[], traits: None };
    let (full, empty) = (compiled.signature(&subject), nobody.signature(&subject));
    assert!(compiled.destinations(99, &subject).is_empty() && compiled.sources_fixed(99).ranges.is_empty());
    assert_eq!(compiled.rule_source_line(99), 0);
    assert!(!compiled.is_source(&full, 99) && !compiled.is_destination(&full, 99));
    assert!(compiled.sees(&full, &full) && !compiled.sees(&full, &empty) && !nobody.sees(&empty, &empty));
}
