//! Who is in the tailnet that policies are asked about.

use std::net::{Ipv4Addr, Ipv6Addr};

use policy::{Device, Person, Roster};

type Line<'a> = (&'a str, &'a [&'a str], Option<usize>, &'a [&'a str]);

/// Two people with devices, some tagged devices, a router, an exit node, and one that is everything at once.
pub(super) fn roster() -> Roster {
    let person = |name: &str, roles: Option<Vec<String>>| Person {
        name: name.to_owned(),
        email: format!("{name}@example.com"),
        roles,
    };
    let lines: [Line; 8] = [
        ("laptop", &[], Some(0), &[]),
        ("phone", &[], Some(0), &[]),
        ("desk", &[], Some(1), &["10.2.0.0/16"]),
        ("web", &["tag:a"], None, &[]),
        ("db", &["tag:b"], None, &[]),
        ("gate", &["tag:b", "tag:gw"], None, &["10.0.0.0/8", "fd00:1::/64"]),
        ("exit", &["tag:gw"], None, &["0.0.0.0/0", "::/0"]),
        ("all", &["tag:a", "tag:gw"], None, &["10.1.0.0/16", "0.0.0.0/0", "::/0"]),
    ];
    let devices = lines.iter().zip(1u8..).map(|((name, tags, owner, routes), number)| Device {
        traits: None,
        name: (*name).to_owned(),
        host: (*name).to_owned(),
        tags: tags.iter().filter_map(|tag| tag.parse().ok()).collect(),
        owner: *owner,
        v4: Ipv4Addr::new(100, 64, 0, number),
        v6: Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, number.into()),
        routes: routes.iter().filter_map(|route| route.parse().ok()).collect(),
    });
    let people = vec![person("alice", None), person("bob", Some(vec!["auditor".to_owned()]))];
    Roster { people, devices: devices.collect() }
}
