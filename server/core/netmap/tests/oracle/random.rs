//! Small random tailnets with policies of everything that `acls` and `grants` can say, so that rules and devices meet often.

use std::net::{Ipv4Addr, Ipv6Addr};

use policy::{Device, Person, Roster, Traits};
use proptest::{collection::vec, option, prelude::*, sample::select, sample::subsequence};
use serde_json::{Value, json};

/// Without an address a person is written `name@`.
const PEOPLE: [(&str, &str); 3] =
    [("alice@example.com", "alice@example.com"), ("bob", ""), ("carol@example.org", "carol@example.org")];
const TAGS: [&str; 3] = ["tag:a", "tag:b", "tag:c"];
const ROUTES: [&str; 9] = [
    "10.0.0.0/8",
    "10.1.2.0/24",
    "10.1.2.3/32",
    "10.2.0.0/16",
    "192.168.0.0/16",
    "fd00:1::/64",
    "fd00:1::/64",
    "0.0.0.0/0",
    "::/0",
];
const PEOPLE_ALIASES: [&str; 9] = [
    "alice@example.com",
    "bob@",
    "carol@example.org",
    "group:x",
    "group:none",
    "autogroup:member",
    "user:*@example.com",
    "autogroup:admin",
    "group:y",
];
const ALIASES: [&str; 16] = [
    "*",
    "tag:a",
    "tag:b",
    "tag:c",
    "autogroup:tagged",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.3",
    "office",
    "100.64.0.0/30",
    "fd7a:115c:a1e0::2",
    "10.1.2.3-10.1.9.9",
    "100.64.0.2-100.64.0.3",
    "fd00:1::5-fd00:1::9",
    "ipset:some",
    "svc:web",
];
const SOURCES: [&str; 2] = ["autogroup:danger-all", "autogroup:shared"];
const BEHIND: [&str; 7] = [
    "10.0.0.0/8",
    "10.1.2.0/24",
    "fd00:1::/64",
    "10.1.2.3-10.1.9.9",
    "ipset:some",
    "autogroup:internet",
    "tag:a",
];
const WIDE: [&str; 2] = ["0.0.0.0/0", "::/0"];
const SYSTEMS: [&str; 4] = ["x", "y", "z", ""];
const CAPS: [&str; 3] = ["tailscale.com/cap/drive", "tailscale.com/cap/relay", "example.com/cap/shell"];

/// A roster and a policy's text.
pub fn tailnet() -> impl Strategy<Value = (Roster, String)> {
    (vec(device(), 2..6), vec(acl(), 0..4), vec(grant(), 0..4)).prop_map(|(devices, acls, grants)| {
        let devices = devices.into_iter().zip(2u8..).map(|(device, number)| Device {
            name: format!("n{number}"),
            host: format!("host{number}"),
            v4: Ipv4Addr::new(100, 64, 0, number),
            v6: Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, number.into()),
            ..device
        });
        let people = PEOPLE.map(|(name, email)| Person {
            name: name.to_owned(),
            email: email.to_owned(),
            roles: Some(Vec::new()),
        });
        let policy = json!({
            "groups": {"group:x": ["alice@example.com", "bob@"], "group:y": ["bob@"], "group:none": []},
            "hosts": {"office": "172.16.0.0/24"},
            "ipsets": {"ipset:some": ["10.1.0.0/16", "remove 10.1.2.0/24", "100.64.0.4", "fd00:1::/64"]},
            "postures": {"posture:x": ["node:os == 'x'"], "posture:y": ["node:os IN ['y', 'z']"]},
            "tagOwners": {"tag:a": ["tag:b"], "tag:b": [], "tag:c": ["alice@example.com"]},
            "acls": acls,
            "grants": grants,
        });
        (Roster { people: people.to_vec(), devices: devices.collect() }, policy.to_string())
    })
}

fn device() -> impl Strategy<Value = Device> {
    let tags = prop_oneof![2 => Just(vec![]), 3 => subsequence(TAGS.to_vec(), 1..=2)];
    let routes = prop_oneof![2 => Just(vec![]), 2 => vec(select(ROUTES.to_vec()), 1..4)];
    (tags, 0..PEOPLE.len(), routes, select(SYSTEMS.to_vec())).prop_map(|(tags, owner, mut routes, os)| {
        routes.sort_unstable();
        routes.dedup();
        Device {
            traits: Some(Traits { os: os.to_owned(), ..Traits::default() }),
            name: String::new(),
            host: String::new(),
            owner: tags.is_empty().then_some(owner),
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            v4: Ipv4Addr::UNSPECIFIED,
            v6: Ipv6Addr::UNSPECIFIED,
            routes: routes.iter().map(|route| route.parse().unwrap()).collect(),
        }
    })
}

fn acl() -> impl Strategy<Value = Value> {
    let ports = || select(vec!["*", "22", "80-443", "22,8080"]);
    let others = (sources(), vec((destination(true), ports()), 0..3));
    let owners = prop_oneof![3 => people(), 1 => Just(vec!["*".to_owned()])];
    let own =
        (owners, vec((prop_oneof![Just("autogroup:self".to_owned()), destination(true)], ports()), 1..3));
    let proto = option::weighted(0.2, select(vec!["tcp", "udp"]));
    (prop_oneof![3 => others, 1 => own], proto, postures()).prop_map(|((src, dst), proto, postures)| {
        let dst: Vec<_> = dst.iter().map(|(alias, ports)| format!("{alias}:{ports}")).collect();
        let mut rule = json!({"action": "accept", "src": src, "dst": dst});
        proto.into_iter().for_each(|proto| rule["proto"] = proto.into());
        postures.into_iter().for_each(|postures| rule["srcPosture"] = postures.into());
        rule
    })
}

fn grant() -> impl Strategy<Value = Value> {
    let ip = || subsequence(vec!["tcp:443", "udp:53", "icmp:*", "22"], 1..3);
    let routed = (sources(), vec(select(BEHIND.to_vec()), 1..3), ip(), subsequence(TAGS.to_vec(), 1..3));
    let routed = routed.prop_map(|(src, dst, ip, via)| json!({"src": src, "dst": dst, "ip": ip, "via": via}));
    let app = |src: Vec<String>, dst: Vec<String>, caps: Vec<&str>, ip: Option<Vec<&str>>| {
        let caps: serde_json::Map<_, _> =
            caps.iter().map(|cap| ((*cap).to_owned(), json!([{"role": cap}]))).collect();
        let mut grant = json!({"src": src, "dst": dst, "app": caps});
        ip.into_iter().for_each(|ip| grant["ip"] = ip.into());
        grant
    };
    let caps = || subsequence(CAPS.to_vec(), 1..=2);
    let to_others = (sources(), vec(destination(false), 1..3), caps(), option::of(ip()));
    let to_own = (people(), Just(vec!["autogroup:self".to_owned()]), caps(), option::of(ip()));
    let apps = prop_oneof![2 => to_others, 1 => to_own]
        .prop_map(move |(src, dst, caps, ip)| app(src, dst, caps, ip));
    (prop_oneof![2 => routed, 2 => apps], postures()).prop_map(|(mut grant, postures)| {
        postures.into_iter().for_each(|postures| grant["srcPosture"] = postures.into());
        grant
    })
}

fn postures() -> impl Strategy<Value = Option<Vec<&'static str>>> {
    option::weighted(0.3, subsequence(vec!["posture:x", "posture:y"], 1..=2))
}

fn people() -> impl Strategy<Value = Vec<String>> {
    vec(select(PEOPLE_ALIASES.to_vec()).prop_map(str::to_owned), 1..3)
}

fn sources() -> impl Strategy<Value = Vec<String>> {
    let one = prop_oneof![
        4 => select(ALIASES.to_vec()),
        3 => select(PEOPLE_ALIASES.to_vec()),
        1 => select(SOURCES.to_vec()),
    ];
    vec(one.prop_map(str::to_owned), 0..3)
}

/// Grants do not take networks that are everything, nor the internet together with applications.
fn destination(of_rule: bool) -> impl Strategy<Value = String> {
    let mut wide = ALIASES.to_vec();
    if of_rule {
        wide.extend(WIDE);
        wide.push("autogroup:internet");
    }
    prop_oneof![4 => select(wide), 2 => select(PEOPLE_ALIASES.to_vec())].prop_map(str::to_owned)
}
