//! Short stories about one device: what it may not keep, and what may not be taken from it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use ident::{AuthKeyId, MachineKey, NodeId, NodeKey};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use wire::Hostinfo;
use world::{
    Answer, Command, Context, Draft, KeyDefaults, KeyProof, Node, NonEmpty, Prepared, Presence, Registered,
    Registration, Role, Settings, Verifier, World,
};

const POLICY: &str = r#"{
    "tagOwners": {"tag:router": [], "tag:dev": []},
    "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}],
    "autoApprovers": {"routes": {"10.0.0.0/8": ["tag:router"], "100.0.0.0/8": ["tag:router"]}},
}"#;
const WITHOUT_APPROVERS: &str = r#"{
    "tagOwners": {"tag:router": [], "tag:dev": []},
    "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}],
}"#;
const ROUTER: u64 = 1;
const DEV: u64 = 2;
const DEV_EPHEMERAL: u64 = 3;

struct Tale {
    world: World,
    now: Timestamp,
}

impl Tale {
    fn begin() -> Self {
        let mut tale =
            Self { world: World::empty(Settings::default()), now: "2026-01-01T00:00:00Z".parse().unwrap() };
        tale.say(Command::SetPolicy { prepared: Prepared::parse(POLICY).unwrap() });
        for (name, tag, ephemeral) in
            [("router", "tag:router", false), ("dev", "tag:dev", false), ("guest", "tag:dev", true)]
        {
            let key =
                KeyDefaults { expiry_seconds: 86400, reusable: true, ephemeral, node_expiry_seconds: None };
            let tags = NonEmpty::new(vec![tag.parse().unwrap()]).unwrap();
            tale.say(Command::SetRole {
                role: Role { name: name.into(), tags, description: String::new(), key },
            });
            tale.say(Command::CreateAuthKey {
                role: name.into(),
                user: None,
                verifier: verifier(),
                expires: None,
                reusable: None,
                ephemeral: None,
                allow_no_access: true,
            });
        }
        tale
    }

    fn say(&mut self, command: Command) -> Answer {
        let mut draft = Draft::new(&self.world);
        let step = draft.step(&command, Context { now: self.now, rng: 7 }).unwrap();
        draft.world.check_invariants().unwrap();
        self.world = draft.world;
        step.answer
    }

    fn register(&mut self, node_key: u8, auth: u64) -> Registered {
        self.register_machine(1, node_key, auth)
    }

    fn register_machine(&mut self, machine: u8, node_key: u8, auth: u64) -> Registered {
        let routes = ["10.1.0.0/16", "192.168.0.0/24", "100.64.0.9/32"].map(|r| r.parse().unwrap()).to_vec();
        let hostinfo = Hostinfo { hostname: "7".into(), routable_ips: routes, ..Hostinfo::default() };
        let answer = self.say(Command::Register(Registration {
            machine: MachineKey::from_bytes([machine; 32]).unwrap(),
            node_key: NodeKey::from_bytes([node_key; 32]).unwrap(),
            old_node_key: None,
            proof: Some(KeyProof { id: AuthKeyId::new(auth).unwrap(), verifier: verifier() }),
            hostinfo: Arc::new(hostinfo),
            ephemeral: false,
            expiry: None,
            capver: 130,
        }));
        let Answer::Registered(registered) = answer else { panic!("{answer:?}") };
        registered
    }

    fn node(&self) -> Option<&Arc<Node>> {
        self.world.nodes.get(NodeId::FIRST)
    }
    fn served(&self) -> Vec<IpNet> {
        self.node().unwrap().served_routes()
    }
    fn open(&mut self, epoch: u64) {
        self.say(Command::StreamOpened { node: NodeId::FIRST, instance: 1, epoch });
    }
    fn close(&mut self, epoch: u64) {
        self.say(Command::StreamClosed { node: NodeId::FIRST, instance: 1, epoch });
    }
    fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        self.say(Command::Tick);
    }
}

fn verifier() -> Verifier {
    Verifier { pepper: 1, digest: [7; 32] }
}

#[test]
fn what_the_policy_approves_goes_with_tag_key_and_policy() {
    let ten: Vec<IpNet> = vec!["10.1.0.0/16".parse().unwrap()];
    let mut tale = Tale::begin();
    tale.register(1, ROUTER);
    assert_eq!(tale.served(), ten, "neither the unapproved network nor a mesh address");
    tale.open(1);
    assert_eq!(tale.world.primaries.len(), 1);

    tale.say(Command::TagNode { id: NodeId::FIRST, tags: vec!["tag:dev".parse().unwrap()] });
    assert_eq!((tale.served(), tale.world.primaries.len()), (vec![], 0));
    tale.register(2, ROUTER);
    assert_eq!(tale.served(), ten, "back with a router's key and the same description");
    tale.say(Command::SetPolicy { prepared: Prepared::parse(WITHOUT_APPROVERS).unwrap() });
    assert_eq!((tale.served(), tale.world.primaries.len()), (vec![], 0));
    tale.say(Command::SetPolicy { prepared: Prepared::parse(POLICY).unwrap() });
    tale.register(3, DEV);
    assert_eq!(tale.served(), vec![]);
}

#[test]
fn a_route_by_tag_stays_with_its_router_until_that_is_away() {
    const VIA: &str = r#"{
        "tagOwners": {"tag:router": [], "tag:dev": []},
        "grants": [{"src": ["*"], "dst": ["10.0.0.0/8"], "ip": ["*"], "via": ["tag:dev"]}],
        "autoApprovers": {"routes": {"10.0.0.0/8": ["tag:router", "tag:dev"]}},
    }"#;
    let id = |n: u64| NodeId::new(n).unwrap();
    let mut tale = Tale::begin();
    tale.say(Command::SetPolicy { prepared: Prepared::parse(VIA).unwrap() });
    for (machine, auth) in [(1, ROUTER), (2, DEV), (3, DEV)] {
        tale.register_machine(machine, machine, auth);
        tale.say(Command::StreamOpened { node: id(machine.into()), instance: 1, epoch: 1 });
    }
    let by_tag = |tale: &Tale| tale.world.via_primaries.values().copied().collect::<Vec<_>>();
    let any = |tale: &Tale| tale.world.primaries.values().copied().collect::<Vec<_>>();
    assert_eq!((any(&tale), by_tag(&tale)), (vec![id(1)], vec![id(2)]));

    tale.say(Command::StreamClosed { node: id(2), instance: 1, epoch: 1 });
    tale.wait(11);
    assert_eq!((any(&tale), by_tag(&tale)), (vec![id(1)], vec![id(3)]));
    tale.say(Command::StreamOpened { node: id(2), instance: 1, epoch: 2 });
    assert_eq!(by_tag(&tale), [id(3)], "who comes back takes nothing away");

    tale.say(Command::TagNode { id: id(3), tags: vec!["tag:router".parse().unwrap()] });
    assert_eq!(by_tag(&tale), [id(2)]);
    tale.say(Command::SetPolicy { prepared: Prepared::parse(POLICY).unwrap() });
    assert!(by_tag(&tale).is_empty());
}

#[test]
fn nobody_approves_a_route_to_mesh_addresses() {
    let mut tale = Tale::begin();
    tale.register(1, DEV);
    let routes = ["100.64.0.9/32".parse().unwrap()].into();
    let approve = Command::ApproveRoutes { id: NodeId::FIRST, routes };
    let refusal = Draft::new(&tale.world).step(&approve, Context { now: tale.now, rng: 7 }).unwrap_err();
    assert_eq!(refusal.code(), "not_servable");
}

#[test]
fn an_expired_key_does_not_come_back() {
    let mut tale = Tale::begin();
    tale.register(1, DEV);
    tale.say(Command::ExpireNode { id: NodeId::FIRST });
    assert_eq!(tale.register(1, DEV), Registered::KeyExpired);
    assert_eq!(tale.register(2, DEV), Registered::Active(NodeId::FIRST), "with a fresh one it does");
    assert!(tale.node().unwrap().accepted());
}

#[test]
fn a_late_announcement_of_an_older_stream_changes_nothing() {
    let mut tale = Tale::begin();
    tale.register(1, DEV);
    tale.open(6);
    tale.open(5);
    tale.close(5);
    assert_eq!(tale.node().unwrap().live.presence, Presence::Connected { instance: 1, epoch: 6 });
    tale.close(6);
    tale.wait(11);
    assert!(!tale.node().unwrap().online());
}

#[test]
fn an_ephemeral_node_has_its_grace_from_its_last_sign_of_life() {
    let mut tale = Tale::begin();
    tale.register(1, DEV);
    tale.wait(4000);
    tale.register(2, DEV_EPHEMERAL);
    tale.wait(1);
    assert!(tale.node().is_some(), "long away, but it has just come back");
    tale.wait(1790);
    assert!(tale.node().is_some());
    tale.wait(20);
    assert!(tale.node().is_none());
}

#[test]
fn another_grace_holds_for_who_is_away_already_and_another_domain_is_refused() {
    let mut tale = Tale::begin();
    tale.register(1, DEV_EPHEMERAL);
    tale.wait(100);
    let shorter = Settings { ephemeral_grace: Duration::from_secs(200), ..Settings::default() };
    tale.say(Command::TakeSettings { settings: Box::new(shorter.clone()) });
    tale.wait(90);
    assert!(tale.node().is_some());
    tale.wait(20);
    assert!(tale.node().is_none(), "its deadline has come nearer");
    let moved = Settings { domain: "net.example".into(), ..shorter };
    let command = Command::TakeSettings { settings: Box::new(moved) };
    let refused = Draft::new(&tale.world).step(&command, Context { now: tale.now, rng: 7 });
    assert!(refused.is_err_and(|refusal| refusal.to_string().contains("domain")));
}

#[test]
fn a_restart_of_the_server_costs_an_ephemeral_node_nothing_of_its_grace() {
    let mut tale = Tale::begin();
    tale.register(1, DEV_EPHEMERAL);
    tale.open(1);
    tale.close(1);
    tale.wait(11);
    tale.open(2);
    tale.wait(4000);
    // The store remembers that it was online and when its last stream ended, hours ago.
    let mut node = (**tale.node().unwrap()).clone();
    node.live.presence = Presence::Offline;
    let rows = world::Rows {
        users: vec![],
        roles: vec![],
        auth_keys: vec![],
        api_keys: vec![],
        nodes: vec![node],
        bound: vec![],
        primaries: vec![],
        policy: tale.world.policy.clone(),
        dns: None,
        next: tale.world.next_ids(),
    };
    tale.world = World::load(Settings::default(), rows);
    let until = tale.now + SignedDuration::from_secs(90);
    tale.say(Command::ExpectReturn { nodes: vec![NodeId::FIRST], until });
    tale.wait(121);
    assert!(tale.node().is_some());
    tale.wait(1800);
    assert!(tale.node().is_none());
}

#[test]
fn digits_alone_are_nobodys_name() {
    let mut tale = Tale::begin();
    tale.register(1, DEV);
    assert_eq!(tale.node().unwrap().name, "node-7");
    for command in [
        Command::RenameNode { id: NodeId::FIRST, name: "7".into() },
        Command::CreateUser { login: "7".into(), display_name: String::new() },
    ] {
        let refusal = Draft::new(&tale.world).step(&command, Context { now: tale.now, rng: 7 }).unwrap_err();
        assert_eq!(refusal.code(), "bad_name");
    }
}

#[test]
fn after_a_restart_those_who_do_not_come_back_are_announced_one_by_one() {
    let mut tale = Tale::begin();
    for n in 1..=100 {
        tale.say(Command::Register(Registration {
            machine: MachineKey::from_bytes([n; 32]).unwrap(),
            node_key: NodeKey::from_bytes([n; 32]).unwrap(),
            old_node_key: None,
            proof: Some(KeyProof { id: AuthKeyId::new(DEV).unwrap(), verifier: verifier() }),
            hostinfo: Arc::default(),
            ephemeral: false,
            expiry: None,
            capver: 130,
        }));
    }
    let until = tale.now + SignedDuration::from_secs(90);
    let nodes: Vec<_> = tale.world.nodes.iter().map(|n| n.id).collect();
    let ends = |rng: u64| -> Vec<Timestamp> {
        let mut draft = Draft::new(&tale.world);
        let back = Command::ExpectReturn { nodes: nodes.clone(), until };
        draft.step(&back, Context { now: tale.now, rng }).unwrap();
        let end = |n: &Arc<Node>| match n.live.presence {
            Presence::Leaving { until, .. } => until,
            other => panic!("{other:?}"),
        };
        draft.world.nodes.iter().map(end).collect()
    };
    let (mine, other) = (ends(1), ends(2));
    assert!(mine.iter().all(|at| (until..until + SignedDuration::from_secs(30)).contains(at)));
    let moments: std::collections::BTreeSet<_> = mine.iter().map(|at| at.as_second()).collect();
    assert!(moments.len() > 20, "spread over {} seconds", moments.len());
    assert_ne!(mine, other);
    assert_eq!(mine, ends(1), "the same number gives the same moments");
}

#[test]
fn who_has_expired_is_heard_and_changes_nothing() {
    let mut tale = Tale::begin();
    tale.register(1, DEV);
    tale.say(Command::ExpireNode { id: NodeId::FIRST });
    let before = tale.node().unwrap().clone();
    let hostinfo = Hostinfo { hostname: "other".into(), ..Hostinfo::default() };
    tale.say(Command::Report(world::NodeReport {
        machine: before.machine,
        node_key: before.node_key,
        hostinfo: Some(Arc::new(hostinfo)),
        endpoints: Some(vec!["192.0.2.1:1".parse().unwrap()]),
        disco: None,
        home_derp: Some(7),
        capver: 131,
    }));
    assert_eq!(*tale.node().unwrap(), before);
}

#[test]
fn a_node_key_stays_its_machines_after_rotation_and_deletion() {
    let mut tale = Tale::begin();
    tale.register(1, DEV);
    tale.register(2, DEV);
    tale.say(Command::DeleteNode { id: NodeId::FIRST });
    for key in [1, 2] {
        let theft = Command::Register(Registration {
            machine: MachineKey::from_bytes([9; 32]).unwrap(),
            node_key: NodeKey::from_bytes([key; 32]).unwrap(),
            old_node_key: None,
            proof: Some(KeyProof { id: AuthKeyId::new(DEV).unwrap(), verifier: verifier() }),
            hostinfo: Arc::default(),
            ephemeral: false,
            expiry: None,
            capver: 130,
        });
        let refusal = Draft::new(&tale.world).step(&theft, Context { now: tale.now, rng: 7 }).unwrap_err();
        assert_eq!(refusal.code(), "node_key_taken", "key {key}");
    }
    tale.register(1, DEV);
}

/// A policy matches logins in any letter case; two people whom it cannot tell apart would share what it gives.
#[test]
fn letter_case_makes_no_other_person() {
    let mut tale = Tale::begin();
    let create = |login: &str| Command::CreateUser { login: login.into(), display_name: String::new() };
    tale.say(create("alice@example.com"));
    tale.say(create("bob"));
    let bob = tale.world.user_by_login("bob").unwrap().id;
    for wish in
        [create("Alice@Example.com"), Command::RenameUser { id: bob, login: "ALICE@example.com".into() }]
    {
        let refusal = Draft::new(&tale.world).step(&wish, Context { now: tale.now, rng: 7 }).unwrap_err();
        assert_eq!(refusal.code(), "exists");
    }
    tale.say(Command::RenameUser { id: bob, login: "Bob".into() });
}

#[test]
fn who_is_forgotten_when_away_has_a_chance_to_come_first() {
    let mut tale = Tale::begin();
    tale.register(1, DEV_EPHEMERAL);
    // The server is down for longer than such a node may be away.
    tale.now += SignedDuration::from_secs(4 * 3600);
    let until = tale.now + SignedDuration::from_secs(90);
    tale.say(Command::ExpectReturn { nodes: Vec::new(), until });
    tale.wait(29 * 60);
    assert!(tale.node().is_some(), "the time in which nobody could listen does not count");
    assert_eq!(tale.register(1, DEV_EPHEMERAL), Registered::Active(NodeId::FIRST));
    tale.wait(29 * 60);
    assert!(tale.node().is_some(), "it has just said that it is here");
    tale.open(1);
    tale.wait(4 * 3600);
    assert!(tale.node().is_some());
    tale.close(1);
    tale.wait(11);
    tale.wait(31 * 60);
    assert!(tale.node().is_none());
}
