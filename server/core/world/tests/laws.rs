//! Laws of the World over random histories of commands: invariants hold after every step, the same history gives the
//! same World twice, and rows that are written and loaded give the World that events gave.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, sync::Arc};

use ident::{AuthKeyId, MachineKey, NodeId, NodeKey, UserId};
use jiff::Timestamp;
use proptest::prelude::*;
use wire::Hostinfo;
use world::{
    Bootstrap, Command, Context, DnsEdit, Draft, KeyDefaults, KeyProof, NewOwner, NodeReport, NonEmpty,
    Prepared, Registration, Role, Rows, Settings, Verifier, World,
};

const POLICIES: [&str; 4] = [
    r#"{"tagOwners": {"tag:a": [], "tag:b": []}, "acls": [{"action": "accept", "src": ["tag:a"], "dst": ["tag:b:22"]}]}"#,
    r#"{"tagOwners": {"tag:a": [], "tag:b": []}, "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}],
        "autoApprovers": {"routes": {"10.0.0.0/8": ["tag:b"]}}}"#,
    r#"{"tagOwners": {"tag:a": [], "tag:b": []}}"#,
    r#"{"tagOwners": {"tag:a": [], "tag:b": []}, "autoApprovers": {"routes": {"10.0.0.0/8": ["tag:a", "tag:b"]}},
        "grants": [{"src": ["*"], "dst": ["10.0.0.0/8"], "ip": ["*"], "via": ["tag:b"]}]}"#,
];

#[derive(Debug, Clone)]
enum Wish {
    Register { machine: u8, key: u8, auth: u8, hostname: u8, route: u8 },
    LetIn { machine: u8, key: u8, before: u8, owner: u8 },
    Logout { machine: u8, key: u8 },
    Report { machine: u8, key: u8, home: u16, route: u8 },
    Stream { node: u64, open: bool, epoch: u64 },
    Delete { node: u64 },
    Rename { node: u64, name: u8 },
    Tag { node: u64, tag: u8 },
    Approve { node: u64, route: u8 },
    Policy { which: u8 },
    Expire { node: u64 },
    SetExpiry { node: u64, hours: u8 },
    Move { node: u64, user: u64 },
    Dns { server: u8, force: bool },
    Record { name: u8, set: bool },
    Wait { seconds: u16 },
}

fn wish() -> impl Strategy<Value = Wish> {
    let node = 1..6u64;
    prop_oneof![
        4 => (0..4u8, 0..6u8, 0..3u8, 0..3u8, 0..3u8)
            .prop_map(|(machine, key, auth, hostname, route)| Wish::Register { machine, key, auth, hostname, route }),
        3 => (0..4u8, 0..6u8, 0..6u8, 0..6u8)
            .prop_map(|(machine, key, before, owner)| Wish::LetIn { machine, key, before, owner }),
        1 => (0..4u8, 0..6u8).prop_map(|(machine, key)| Wish::Logout { machine, key }),
        2 => (0..4u8, 0..6u8, 0..3u16, 0..3u8).prop_map(|(machine, key, home, route)| Wish::Report { machine, key, home, route }),
        3 => (node.clone(), any::<bool>(), 0..3u64).prop_map(|(node, open, epoch)| Wish::Stream { node, open, epoch }),
        1 => node.clone().prop_map(|node| Wish::Delete { node }),
        1 => (node.clone(), 0..3u8).prop_map(|(node, name)| Wish::Rename { node, name }),
        1 => (node.clone(), 0..3u8).prop_map(|(node, tag)| Wish::Tag { node, tag }),
        1 => (node.clone(), 0..3u8).prop_map(|(node, route)| Wish::Approve { node, route }),
        1 => (0..4u8).prop_map(|which| Wish::Policy { which }),
        1 => node.clone().prop_map(|node| Wish::Expire { node }),
        1 => (node.clone(), 0..3u8).prop_map(|(node, hours)| Wish::SetExpiry { node, hours }),
        1 => (node, 1..4u64).prop_map(|(node, user)| Wish::Move { node, user }),
        1 => any::<(u8, bool)>().prop_map(|(server, force)| Wish::Dns { server, force }),
        1 => any::<(u8, bool)>().prop_map(|(name, set)| Wish::Record { name, set }),
        1 => (1..4000u16).prop_map(|seconds| Wish::Wait { seconds }),
    ]
}

fn machine(n: u8) -> MachineKey {
    MachineKey::from_bytes([n + 1; 32]).unwrap()
}
fn node_key(n: u8) -> NodeKey {
    NodeKey::from_bytes([n + 100; 32]).unwrap()
}
fn verifier(n: u8) -> Verifier {
    Verifier { pepper: 1, digest: [n; 32] }
}
fn route(n: u8) -> ipnet::IpNet {
    ["10.1.0.0/16", "10.2.0.0/16", "0.0.0.0/0"][usize::from(n) % 3].parse().unwrap()
}
fn hostinfo(hostname: u8, r: u8) -> Arc<Hostinfo> {
    let hostname = ["web", "Web", "db.example.com"][usize::from(hostname) % 3].to_owned();
    Arc::new(Hostinfo { hostname, routable_ips: vec![route(r)], ..Hostinfo::default() })
}

fn bootstrap() -> Vec<Bootstrap> {
    vec![Bootstrap { name: "mesh.example.com".into(), what: "the control server".into() }]
}

/// Without a key.
fn registration(m: u8, key: u8) -> Registration {
    Registration {
        machine: machine(m),
        node_key: node_key(key),
        old_node_key: None,
        proof: None,
        hostinfo: hostinfo(0, 0),
        ephemeral: key == 5,
        expiry: None,
        capver: 130,
    }
}

fn command(wish: &Wish, now: Timestamp) -> Command {
    let id = |n: u64| NodeId::new(n).unwrap();
    match wish {
        Wish::Register { machine: m, key, auth, hostname, route } => Command::Register(Registration {
            proof: (*auth > 0).then(|| KeyProof {
                id: AuthKeyId::new(u64::from(*auth)).unwrap(),
                verifier: verifier(*auth),
            }),
            hostinfo: hostinfo(*hostname, *route),
            ..registration(*m, *key)
        }),
        Wish::LetIn { machine: m, key, before, owner } => Command::ApproveLogin {
            login: Registration { old_node_key: Some(node_key(*before)), ..registration(*m, *key) },
            owner: match owner {
                0 => NewOwner::Role("one".into()),
                1 => NewOwner::Role("two".into()),
                2 | 3 => NewOwner::User(UserId::new(u64::from(*owner) - 1).unwrap()),
                4 => NewOwner::User(UserId::new(99).unwrap()),
                _ => NewOwner::Same,
            },
        },
        Wish::Logout { machine: m, key } => {
            Command::Logout { machine: machine(*m), node_key: node_key(*key) }
        }
        Wish::Report { machine: m, key, home, route } => Command::Report(NodeReport {
            machine: machine(*m),
            node_key: node_key(*key),
            hostinfo: Some(hostinfo(0, *route)),
            endpoints: None,
            disco: None,
            home_derp: Some(*home),
            capver: 130,
        }),
        Wish::Stream { node, open: true, epoch } => {
            Command::StreamOpened { node: id(*node), instance: 1, epoch: *epoch }
        }
        Wish::Stream { node, open: false, epoch } => {
            Command::StreamClosed { node: id(*node), instance: 1, epoch: *epoch }
        }
        Wish::Dns { server, force } => {
            let servers = ["10.1.0.53", "1.1.1.1", "100.64.0.1"][usize::from(*server) % 3].parse();
            let split = [("example.com".to_owned(), vec![servers.unwrap()])].into();
            let edit = DnsEdit { magic: Some(server % 2 == 0), split, ..DnsEdit::default() };
            Command::EditDns { edit, bootstrap: bootstrap(), force: *force }
        }
        Wish::Record { name, set } => {
            let name =
                ["web", "mesh.example.com", "printer.lan", "bad..name"][usize::from(*name) % 4].to_owned();
            match set {
                true => Command::SetDnsRecord {
                    name,
                    addresses: ["10.1.0.9".parse().unwrap()].into(),
                    bootstrap: bootstrap(),
                    force: false,
                },
                false => Command::DeleteDnsRecord { name },
            }
        }
        Wish::Delete { node } => Command::DeleteNode { id: id(*node) },
        Wish::Rename { node, name } => Command::RenameNode { id: id(*node), name: format!("web-{name}") },
        Wish::Tag { node, tag } => Command::TagNode {
            id: id(*node),
            tags: vec![["tag:a", "tag:b", "tag:none"][usize::from(*tag)].parse().unwrap()],
        },
        Wish::Approve { node, route: r } => {
            Command::ApproveRoutes { id: id(*node), routes: BTreeSet::from([route(*r)]) }
        }
        Wish::Policy { which } => {
            Command::SetPolicy { prepared: Prepared::parse(POLICIES[usize::from(*which)]).unwrap() }
        }
        Wish::Expire { node } => Command::ExpireNode { id: id(*node) },
        Wish::SetExpiry { node, hours } => {
            let later = jiff::SignedDuration::from_hours(i64::from(*hours));
            Command::SetNodeExpiry { id: id(*node), expiry: (*hours > 0).then(|| now + later) }
        }
        Wish::Move { node, user } => Command::MoveNode { id: id(*node), user: UserId::new(*user).unwrap() },
        Wish::Wait { .. } => Command::Tick,
    }
}

/// A tailnet with two people, two roles and two keys: key 1 is single-use and tag:a, key 2 reusable and tag:b.
fn beginning(now: Timestamp) -> World {
    let mut draft = Draft::new(&World::empty(Settings::default()));
    let mut say = |command| draft.step(&command, Context { now, rng: 7 }).map(|_| ()).unwrap();
    say(Command::SetPolicy { prepared: Prepared::parse(POLICIES[0]).unwrap() });
    for login in ["alice", "bob"] {
        say(Command::CreateUser { login: login.into(), display_name: String::new() });
    }
    for (n, name, tag, reusable) in [(1, "one", "tag:a", false), (2, "two", "tag:b", true)] {
        let key =
            KeyDefaults { expiry_seconds: 86400, reusable, ephemeral: false, node_expiry_seconds: None };
        let tags = NonEmpty::new(vec![tag.parse().unwrap()]).unwrap();
        say(Command::SetRole { role: Role { name: name.into(), tags, description: String::new(), key } });
        say(Command::CreateAuthKey {
            role: name.into(),
            user: None,
            verifier: verifier(n),
            expires: None,
            reusable: None,
            ephemeral: None,
            allow_no_access: false,
        });
    }
    draft.world
}

/// Everything that must survive, in a form that can be compared.
fn durable(world: &World) -> String {
    let nodes: Vec<_> = world.nodes.iter().map(|n| serde_json::to_string(&**n).unwrap()).collect();
    let keys: Vec<_> = world.auth_keys.values().map(|k| serde_json::to_string(&**k).unwrap()).collect();
    let classes: Vec<_> =
        world.nodes.iter().map(|n| n.class.map(|c| world.classes.signature(c).cloned())).collect();
    format!(
        "{nodes:?} {keys:?} {classes:?} {:?} {:?} {:?} {:?} {:?}",
        world.dns,
        world.bound,
        world.roles,
        world.policy.policy.text(),
        world.next_ids()
    )
}

fn reloaded(world: &World) -> World {
    let back = |text: String| serde_json::from_str(&text).unwrap();
    World::load(
        (*world.settings).clone(),
        Rows {
            users: world.users.values().map(|u| (**u).clone()).collect(),
            roles: world.roles.values().map(|r| (**r).clone()).collect(),
            auth_keys: world.auth_keys.values().map(|k| (**k).clone()).collect(),
            api_keys: world.api_keys.values().map(|k| (**k).clone()).collect(),
            nodes: world.nodes.iter().map(|n| back(serde_json::to_string(&**n).unwrap())).collect(),
            bound: world.bound.iter().map(|(k, m)| (*k, *m)).collect(),
            primaries: world.primaries.iter().map(|(p, n)| (*p, *n)).collect(),
            policy: Prepared::parse(world.policy.policy.text()).unwrap(),
            dns: Some(serde_json::from_str(&serde_json::to_string(&*world.dns).unwrap()).unwrap()),
            next: world.next_ids(),
        },
    )
}

fn live(wishes: &[Wish]) -> World {
    let mut now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut world = beginning(now);
    for wish in wishes {
        if let Wish::Wait { seconds } = wish {
            now += jiff::SignedDuration::from_secs(i64::from(*seconds));
        }
        let mut draft = Draft::new(&world);
        let before = durable(&draft.world);
        match draft.step(&command(wish, now), Context { now, rng: 7 }) {
            Ok(step) => {
                assert!(step.changed() || durable(&draft.world) == before, "silent change by {wish:?}")
            }
            Err(_) => assert_eq!(durable(&draft.world), before, "a refused {wish:?} changed something"),
        }
        for (key, machine) in &world.bound {
            assert_eq!(draft.world.bound.get(key), Some(machine), "a node key changed hands by {wish:?}");
        }
        draft.world.check_invariants().unwrap_or_else(|law| panic!("{law} after {wish:?}"));
        world = draft.world;
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("MESHCTL_TEST_FULL").is_some() { 4096 } else { 128 }))]

    #[test]
    fn histories_keep_the_laws(wishes in prop::collection::vec(wish(), 0..60)) {
        let world = live(&wishes);
        prop_assert_eq!(durable(&world), durable(&live(&wishes)), "the same history gives the same World");
        prop_assert_eq!(durable(&reloaded(&world)), durable(&world), "rows give the World that events gave");
        let spent = world.auth_keys.values().next().unwrap();
        prop_assert!(spent.used <= 1, "a single-use key pays once");
    }
}
