//! A tailnet that remembers every World that it was.

use std::{collections::BTreeSet, sync::Arc};

use ident::{AuthKeyId, MachineKey, NodeKey, UserId};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use netmap::Span;
use policy::{Signature, Subject};
use wire::Hostinfo;
use world::{
    Change, Command, Context, DnsEdit, Draft, DurableEvent, KeyDefaults, KeyProof, Lifecycle, Live, Node,
    NodeReport, NonEmpty, Owner, Prepared, Registration, Role, Settings, Verifier, World,
};

use crate::story::{Chapter, Event};

const ROUTES: [&str; 5] = ["10.1.0.0/16", "10.1.2.0/24", "192.168.5.0/24", "0.0.0.0/0", "::/0"];
/// What the two postures ask for, by the policy's number.
const POSTURES: [[&str; 2]; 3] = [["a", "b"], ["b", "c"], ["a", "a"]];
const NAMES: &str = r#"
    "tagOwners": {"tag:a": [], "tag:b": [], "tag:c": []},
    "ipsets": {"ipset:some": ["10.1.0.0/16", "remove 10.1.2.0/24", "100.64.0.4"]},
"#;
const RULES: [&str; 13] = [
    r#"{"action": "accept", "src": ["tag:a"], "dst": ["tag:b:22,443"]}"#,
    r#"{"action": "accept", "src": ["tag:b", "alice@"], "dst": ["10.1.0.0/16:*"]}"#,
    r#"{"action": "accept", "src": ["*"], "dst": ["*:*"]}"#,
    r#"{"action": "accept", "src": ["*"], "dst": ["tag:c:80"]}"#,
    r#"{"action": "accept", "src": ["tag:c"], "dst": ["autogroup:internet:*"]}"#,
    r#"{"action": "accept", "src": ["10.1.2.0/24", "bob@"], "dst": ["tag:a:*"], "proto": "udp"}"#,
    r#"{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:member:*", "100.64.0.2:7"]}"#,
    r#"{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*", "tag:a:22"]}"#,
    r#"{"action": "accept", "src": ["alice@"], "dst": ["autogroup:self:445"], "proto": "tcp"}"#,
    r#"{"action": "accept", "src": ["ipset:some", "tag:c"], "dst": ["10.1.2.9-192.168.5.9:80", "ipset:some:22"]}"#,
    r#"{"action": "accept", "src": ["autogroup:member"], "srcPosture": ["posture:a", "posture:b"], "dst": ["autogroup:self:22"]}"#,
    r#"{"action": "accept", "src": ["*"], "srcPosture": ["posture:b"], "dst": ["autogroup:self:80", "tag:b:80"]}"#,
    r#"{"action": "accept", "src": ["tag:a", "bob@"], "srcPosture": ["posture:a"], "dst": ["tag:c:443"]}"#,
];
const GRANTS: [&str; 6] = [
    r#"{"src": ["tag:a", "alice@"], "dst": ["10.1.0.0/16"], "ip": ["*"], "via": ["tag:b"]}"#,
    r#"{"src": ["bob@", "tag:a"], "dst": ["10.1.0.0/16", "autogroup:internet"], "ip": ["22"], "via": ["tag:c"]}"#,
    r#"{"src": ["autogroup:member"], "dst": ["tag:b"], "app": {"tailscale.com/cap/drive": [{"a": 1}]}}"#,
    r#"{"src": ["bob@"], "dst": ["autogroup:self"], "app": {"example.com/cap": []}, "ip": ["tcp:1"]}"#,
    r#"{"src": ["autogroup:danger-all"], "dst": ["10.1.2.0/24", "alice@"], "ip": ["udp:53"]}"#,
    r#"{"src": ["alice@"], "srcPosture": ["posture:b"], "dst": ["autogroup:self"], "app": {"tailscale.com/cap/drive": []}, "ip": ["7"]}"#,
];

/// People's devices that they log in to themselves, and devices that some log in to.
const LOGINS: [&str; 5] = [
    r#"{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self"], "users": ["root"]}"#,
    r#"{"action": "check", "src": ["tag:a", "bob@"], "dst": ["tag:b", "tag:c"], "users": ["autogroup:nonroot"]}"#,
    r#"{"action": "accept", "src": ["autogroup:tagged", "bob@"], "dst": ["tag:b"], "users": ["x"], "acceptEnv": ["LC_*"], "recorder": ["tag:c"]}"#,
    r#"{"action": "accept", "src": ["tag:b", "alice@"], "dst": ["tag:c"], "users": ["y"], "recorder": ["tag:a"], "enforceRecorder": true}"#,
    r#"{"action": "accept", "src": ["autogroup:member", "tag:c"], "dst": ["tag:a"], "users": ["localpart:*@x.org"]}"#,
];
const ATTRIBUTES: [&str; 4] = [
    r#"{"target": ["tag:c", "alice@"], "attr": ["suggest-exit-node"]}"#,
    r#"{"target": ["*"], "attr": ["debug-disable-upnp"], "app": {"example.com/cap": [{"n": 1}]}}"#,
    r#"{"target": ["tag:a"], "attr": ["nextdns:kids"]}"#,
    r#"{"target": ["tag:b", "bob@"], "attr": ["nextdns:no-device-info"]}"#,
];

pub struct Tailnet {
    worlds: Vec<Arc<World>>,
    changes: Vec<Vec<Change>>,
    now: Timestamp,
    made: u64,
}

/// What the policy makes of a node, computed from nothing but the node.
pub fn signature(world: &World, node: &Node) -> Signature {
    let routes = node.served_routes();
    let (login, traits) = (world.login_of(node), node.traits());
    let subject = Subject {
        tags: node.owner.tags(),
        login,
        v4: node.v4,
        v6: node.v6,
        routes: &routes,
        traits: Some(&traits),
    };
    world.classes.compiled().signature(&subject)
}

impl Tailnet {
    pub fn new() -> Self {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut draft = Draft::new(&World::empty(Settings::default()));
        let mut commands = vec![Command::SetPolicy { prepared: policy(0) }];
        commands.extend(["a", "b", "c"].map(|name| Command::SetRole { role: role(name) }));
        commands.extend(
            ["alice", "bob", "dora", "emil"]
                .map(|login| Command::CreateUser { login: login.into(), display_name: login.into() }),
        );
        commands.extend(["a", "b", "c"].map(|name| Command::CreateAuthKey {
            role: name.into(),
            user: None,
            verifier: verifier(),
            expires: None,
            reusable: None,
            ephemeral: None,
            allow_no_access: true,
        }));
        for command in commands {
            draft.step(&command, Context { now, rng: 7 }).unwrap();
        }
        Self { worlds: vec![Arc::new(draft.world)], changes: Vec::new(), now, made: 0 }
    }

    pub fn world(&self) -> &Arc<World> {
        &self.worlds[self.head()]
    }

    pub fn head(&self) -> usize {
        self.worlds.len() - 1
    }

    /// What happened since the World with this number, if anything.
    pub fn span_since(&self, cursor: usize) -> Option<Span> {
        let changes = self.changes[cursor..].iter().flatten();
        (cursor < self.head()).then(|| Span::new(self.worlds[cursor].clone(), self.world().clone(), changes))
    }

    pub fn last_span(&self) -> Option<Span> {
        self.span_since(self.head().checked_sub(1)?)
    }

    pub fn live_through(&mut self, chapter: &Chapter) {
        let mut draft = Draft::new(self.world());
        for event in &chapter.events {
            self.now = self.now.checked_add(SignedDuration::from_secs(1)).unwrap();
            self.happen(&mut draft, *event);
        }
        if !draft.changes.is_empty() {
            self.worlds.push(Arc::new(draft.world));
            self.changes.push(draft.changes);
        }
    }

    fn happen(&mut self, draft: &mut Draft, event: Event) {
        if let Event::JoinOfUser { user } = event {
            let node = self.users_node(&draft.world, user);
            return draft.apply(&DurableEvent::NodeRegistered { node: Box::new(node) }.into());
        }
        let Some(command) = self.command(&draft.world, event) else { return };
        // Refusals are no part of these laws.
        let _ = draft.step(&command, Context { now: self.now, rng: 7 });
    }

    fn command(&mut self, world: &World, event: Event) -> Option<Command> {
        let node = |n: u8| world.nodes.iter().nth(usize::from(n) % world.nodes.len().max(1)).cloned();
        Some(match event {
            Event::Join { tag } => self.registration(machine(1000 + self.made), tag),
            Event::JoinOfUser { .. } => return None,
            Event::Return { node: n, tag } => self.registration(node(n)?.machine, tag),
            Event::Logout { node: n } => {
                let node = node(n)?;
                Command::Logout { machine: node.machine, node_key: node.node_key }
            }
            Event::Report { node: n, endpoints, disco, home } => {
                let node = node(n)?;
                let found = (0..endpoints % 3).map(|i| format!("192.0.2.{}:{}", i + 1, endpoints % 7 + 1));
                Command::Report(NodeReport {
                    endpoints: Some(found.map(|t| t.parse().unwrap()).collect()),
                    disco: format!("discokey:{:064x}", disco % 4 + 1).parse().ok(),
                    home_derp: Some(u16::from(home % 3)),
                    capver: 130 + u32::from(home % 2),
                    ..report(&node)
                })
            }
            Event::Describe { node: n, name, routes } => {
                let hostinfo = Hostinfo {
                    hostname: format!("host{}", name % 3),
                    os: ["a", "b", "c", ""][usize::from(name / 3 % 4)].into(),
                    routable_ips: picked(routes).collect::<BTreeSet<_>>().into_iter().collect(),
                    ..Hostinfo::default()
                };
                Command::Report(NodeReport { hostinfo: Some(hostinfo.into()), ..report(&*node(n)?) })
            }
            Event::Open { node: n } => Command::StreamOpened { node: node(n)?.id, instance: 1, epoch: 1 },
            Event::Close { node: n } => Command::StreamClosed { node: node(n)?.id, instance: 1, epoch: 1 },
            Event::Question { node: n, answered } => {
                Command::Questioned { node: node(n)?.id, instance: 1, epoch: 1, answered }
            }
            Event::Wait { seconds } => {
                self.now = self.now.checked_add(SignedDuration::from_secs(seconds.into())).unwrap();
                Command::Tick
            }
            Event::Approve { node: n, routes } => {
                let node = node(n)?;
                let known = |r: &IpNet| node.hostinfo.routable_ips.contains(r);
                Command::ApproveRoutes {
                    id: node.id,
                    routes: picked(routes).filter(known).collect::<BTreeSet<_>>(),
                }
            }
            Event::Tag { node: n, tag } => Command::TagNode { id: node(n)?.id, tags: vec![tag_name(tag)] },
            Event::Rename { node: n, name } => {
                Command::RenameNode { id: node(n)?.id, name: format!("chosen{}", name % 4) }
            }
            Event::Expire { node: n } => Command::ExpireNode { id: node(n)?.id },
            Event::Delete { node: n } => Command::DeleteNode { id: node(n)?.id },
            Event::RenameUser { user, name } => Command::RenameUser {
                id: UserId::new(u64::from(user % 2) + 1).ok()?,
                login: ["alice", "bob", "carol@x.org"][usize::from(name) % 3].into(),
            },
            Event::Dns { server, record } if server % 2 == 0 => Command::SetDnsRecord {
                name: format!("extra{}", record % 3),
                addresses: [[192, 0, 2, record % 5].into()].into(),
                bootstrap: Vec::new(),
                force: false,
            },
            Event::Dns { server, record } => Command::EditDns {
                edit: DnsEdit {
                    magic: Some(record % 3 != 0),
                    override_local: Some(record % 5 == 0),
                    resolvers: Some(vec![nameserver(server).parse().unwrap()]),
                    split: [("corp.example".to_owned(), vec!["10.1.0.53".parse().unwrap()])].into(),
                    ..DnsEdit::default()
                },
                bootstrap: Vec::new(),
                force: false,
            },
            Event::Policy { policy: n } => Command::SetPolicy { prepared: policy(n) },
        })
    }

    fn registration(&mut self, machine: MachineKey, tag: u8) -> Command {
        Command::Register(Registration {
            machine,
            node_key: self.fresh_key(),
            old_node_key: None,
            proof: Some(KeyProof {
                id: AuthKeyId::new(u64::from(tag % 3) + 1).unwrap(),
                verifier: verifier(),
            }),
            hostinfo: Hostinfo { hostname: "host".into(), ..Hostinfo::default() }.into(),
            ephemeral: tag == 5,
            expiry: None,
            capver: 130,
        })
    }

    fn users_node(&mut self, world: &World, user: u8) -> Node {
        let id = world.next_ids().node;
        let (low, made) = (id.get() as u8, self.made);
        Node {
            id,
            machine: machine(1000 + made),
            node_key: self.fresh_key(),
            name: format!("person{id}"),
            renamed: false,
            never_expires: false,
            owner: Owner::User(UserId::new(u64::from(user % 4) + 1).unwrap()),
            responsible: None,
            auth_key: None,
            v4: [100, 64, 0, low].into(),
            v6: (0xfd7a_115c_a1e0_0000_0000_0000_0000_0000_u128 + 0x1_0000 + u128::from(low)).into(),
            created: self.now,
            key_expiry: None,
            ephemeral: false,
            lifecycle: Lifecycle::Active,
            approved_routes: BTreeSet::new(),
            auto_routes: BTreeSet::new(),
            hostinfo: Arc::default(),
            live: Live { capver: 131, ..Live::default() },
            class: None,
            badge: Default::default(),
            expired: false,
            rev: 0,
        }
    }

    fn fresh_key(&mut self) -> NodeKey {
        self.made += 1;
        format!("nodekey:{:064x}", self.made).parse().unwrap()
    }
}

fn report(node: &Node) -> NodeReport {
    NodeReport {
        machine: node.machine,
        node_key: node.node_key,
        hostinfo: None,
        endpoints: None,
        disco: None,
        home_derp: None,
        capver: node.live.capver,
    }
}

/// Half of them are told otherwise to each node.
fn nameserver(n: u8) -> &'static str {
    if n % 4 == 1 { "192.0.2.2" } else { "https://dns.nextdns.io/abc" }
}

fn machine(n: u64) -> MachineKey {
    format!("mkey:{n:064x}").parse().unwrap()
}

fn verifier() -> Verifier {
    Verifier { pepper: 1, digest: [7; 32] }
}

fn tag_name(tag: u8) -> ident::Tag {
    ["tag:a", "tag:b", "tag:c"][usize::from(tag) % 3].parse().unwrap()
}

fn role(name: &str) -> Role {
    Role {
        name: name.into(),
        tags: NonEmpty::new(vec![format!("tag:{name}").parse().unwrap()]).unwrap(),
        description: String::new(),
        key: KeyDefaults {
            expiry_seconds: 366 * 24 * 3600,
            reusable: true,
            ephemeral: false,
            node_expiry_seconds: None,
        },
    }
}

fn picked(mask: u8) -> impl Iterator<Item = IpNet> {
    let all = ROUTES.iter().enumerate();
    all.filter(move |(bit, _)| mask >> bit & 1 == 1).map(|(_, route)| route.parse().unwrap())
}

/// Bits of the number pick the rules, then the grants, and with others those of SSH and the attributes; the highest lets
/// `tag:b` approve its own routes. What is left says what the postures ask for.
fn policy(n: u32) -> Prepared {
    let picked = |all: &[&str], bits: u32| {
        let picked = all.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
        picked.map(|(_, text)| *text).collect::<Vec<_>>().join(", ")
    };
    let (rules, grants) = (picked(&RULES, n), picked(&GRANTS, n >> RULES.len()));
    let (logins, attributes) = (picked(&LOGINS, n ^ n >> 3), picked(&ATTRIBUTES, n ^ n >> 5));
    let approvers = match n >> 19 & 1 {
        1 => r#""autoApprovers": {"routes": {"10.0.0.0/8": ["tag:b"]}, "exitNode": ["tag:c"]},"#,
        _ => "",
    };
    let [a, b] = POSTURES[(n >> 20) as usize % POSTURES.len()];
    let postures = format!(
        r#""postures": {{"posture:a": ["node:os == '{a}'"], "posture:b": ["node:os IN ['{b}', 'd']"]}},"#
    );
    let rules =
        format!(r#""acls": [{rules}], "grants": [{grants}], "ssh": [{logins}], "nodeAttrs": [{attributes}]"#);
    Prepared::parse(&format!("{{{NAMES} {approvers} {postures} {rules}}}")).unwrap()
}
