//! Who serves a route while routers come, go, fall silent and speak again: a slow and obvious model says who could, and
//! the World must have chosen one of these and must not have moved without a cause.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, sync::Arc};

use ident::{AuthKeyId, MachineKey, NodeId, NodeKey, Tag};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use wire::Hostinfo;
use world::{
    Command, Context, Draft, KeyDefaults, KeyProof, NodeReport, NonEmpty, Prepared, Registration, Role,
    Settings, Verifier, World,
};

const POLICY: &str = r#"{
    "tagOwners": {"tag:router": [], "tag:spare": []},
    "grants": [{"src": ["*"], "dst": ["10.2.0.0/16"], "ip": ["*"], "via": ["tag:router"]}],
}"#;
const ROUTERS: u8 = 4;
const PREFIXES: [&str; 2] = ["10.1.0.0/16", "10.2.0.0/16"];
/// How long the routes of a stream that ended wait for it, and how long its node counts as online.
const WAIT_SECONDS: i64 = 1;
const GRACE_SECONDS: i64 = 10;

#[derive(Debug, Clone)]
enum Happens {
    Opens(u8),
    Closes(u8),
    Answers { router: u8, late: bool },
    IsSilent { router: u8, late: bool },
    Offers(u8, u8),
    MayServe(u8, u8),
    Becomes(u8, bool),
    Passes { millis: u32 },
}

fn happens() -> impl Strategy<Value = Happens> {
    let router = 0..ROUTERS;
    prop_oneof![
        4 => router.clone().prop_map(Happens::Opens),
        3 => router.clone().prop_map(Happens::Closes),
        2 => (router.clone(), any::<bool>()).prop_map(|(router, late)| Happens::Answers { router, late }),
        4 => (router.clone(), prop::bool::weighted(0.2)).prop_map(|(router, late)| Happens::IsSilent { router, late }),
        1 => (router.clone(), 0..4u8).prop_map(|(router, which)| Happens::Offers(router, which)),
        1 => (router.clone(), 0..4u8).prop_map(|(router, which)| Happens::MayServe(router, which)),
        1 => (router, any::<bool>()).prop_map(|(router, spare)| Happens::Becomes(router, spare)),
        4 => (0..15_000u32).prop_map(|millis| Happens::Passes { millis }),
    ]
}

/// What anybody who watched would know of a router.
#[derive(Debug, Clone)]
struct Seen {
    connected: bool,
    epoch: u64,
    left: Option<Timestamp>,
    silent: bool,
    offered: BTreeSet<IpNet>,
    approved: BTreeSet<IpNet>,
    spare: bool,
}

impl Seen {
    fn within(&self, seconds: i64, now: Timestamp) -> bool {
        self.left.is_some_and(|left| now < left + SignedDuration::from_secs(seconds))
    }
    fn online(&self, now: Timestamp) -> bool {
        self.connected || self.within(GRACE_SECONDS, now)
    }
    fn healthy(&self, now: Timestamp) -> bool {
        !self.silent && (self.connected || self.within(WAIT_SECONDS, now))
    }
    fn serves(&self, prefix: &IpNet) -> bool {
        self.offered.contains(prefix) && self.approved.contains(prefix)
    }
}

struct Tale {
    world: World,
    now: Timestamp,
    routers: Vec<Seen>,
}

impl Tale {
    fn begin() -> Self {
        let world = World::empty(Settings::default());
        let mut tale = Self { world, now: "2026-01-01T00:00:00Z".parse().unwrap(), routers: Vec::new() };
        tale.say(Command::SetPolicy { prepared: Prepared::parse(POLICY).unwrap() });
        let key = KeyDefaults {
            expiry_seconds: 86400,
            reusable: true,
            ephemeral: false,
            node_expiry_seconds: None,
        };
        let tags = NonEmpty::new(vec![tag(false)]).unwrap();
        tale.say(Command::SetRole {
            role: Role { name: "router".into(), tags, description: String::new(), key },
        });
        tale.say(Command::CreateAuthKey {
            role: "router".into(),
            user: None,
            verifier: verifier(),
            expires: None,
            reusable: None,
            ephemeral: None,
            allow_no_access: true,
        });
        for router in 0..ROUTERS {
            tale.join(router);
        }
        tale
    }

    fn join(&mut self, router: u8) {
        self.say(Command::Register(Registration {
            machine: machine(router),
            node_key: node_key(router),
            old_node_key: None,
            proof: Some(KeyProof { id: AuthKeyId::new(1).unwrap(), verifier: verifier() }),
            hostinfo: offering(&some(3)),
            ephemeral: false,
            expiry: None,
            capver: 130,
        }));
        self.say(Command::ApproveRoutes { id: id(router), routes: some(3) });
        self.routers.push(Seen {
            connected: false,
            epoch: 0,
            left: None,
            silent: false,
            offered: some(3),
            approved: some(3),
            spare: false,
        });
    }

    /// Something happens, and the clock is looked at.
    fn let_happen(&mut self, what: &Happens) {
        let now = self.now;
        match what {
            Happens::Opens(n) => {
                let router = self.router(*n);
                router.epoch += 1;
                (router.connected, router.left, router.silent) = (true, None, false);
                let epoch = router.epoch;
                self.say(Command::StreamOpened { node: id(*n), instance: 1, epoch });
            }
            Happens::Closes(n) => {
                let router = self.router(*n);
                if std::mem::take(&mut router.connected) {
                    router.left = Some(now);
                }
                let epoch = router.epoch;
                self.say(Command::StreamClosed { node: id(*n), instance: 1, epoch });
            }
            Happens::Answers { router, late } => self.question(*router, true, *late),
            Happens::IsSilent { router, late } => self.question(*router, false, *late),
            Happens::Offers(n, which) => {
                self.router(*n).offered = some(*which);
                self.say(Command::Report(NodeReport {
                    machine: machine(*n),
                    node_key: node_key(*n),
                    hostinfo: Some(offering(&some(*which))),
                    endpoints: None,
                    disco: None,
                    home_derp: None,
                    capver: 130,
                }));
            }
            Happens::MayServe(n, which) => {
                let approve = Command::ApproveRoutes { id: id(*n), routes: some(*which) };
                if self.try_to_say(&approve) {
                    self.router(*n).approved = some(*which);
                }
            }
            Happens::Becomes(n, spare) => {
                self.router(*n).spare = *spare;
                self.say(Command::TagNode { id: id(*n), tags: vec![tag(*spare)] });
            }
            Happens::Passes { millis } => self.now += SignedDuration::from_millis(i64::from(*millis)),
        }
        self.say(Command::Tick);
    }

    /// What is said of an older stream counts for nothing.
    fn question(&mut self, n: u8, answered: bool, late: bool) {
        let router = self.router(n);
        let epoch = if late { router.epoch.wrapping_sub(1) } else { router.epoch };
        if router.connected && !late {
            router.silent = !answered;
        }
        self.say(Command::Questioned { node: id(n), instance: 1, epoch, answered });
    }

    fn router(&mut self, n: u8) -> &mut Seen {
        &mut self.routers[usize::from(n)]
    }

    fn say(&mut self, command: Command) {
        assert!(self.try_to_say(&command), "{command:?}");
    }

    fn try_to_say(&mut self, command: &Command) -> bool {
        let mut draft = Draft::new(&self.world);
        let done = draft.step(command, Context { now: self.now, rng: 7 }).is_ok();
        draft.world.check_invariants().unwrap();
        self.world = draft.world;
        done
    }

    /// Who serves a prefix; to viewers whom a rule sends by routers with the tag, or to all others.
    fn serving(&self, prefix: IpNet, by_tag: bool) -> Option<NodeId> {
        match by_tag {
            false => self.world.primaries.get(&prefix).copied(),
            true => self.world.via_primaries.get(&(prefix, tag(false))).copied(),
        }
    }

    /// Who could: the healthy ones among those online, or all of these when nobody is healthy.
    fn able(&self, prefix: IpNet, by_tag: bool) -> Vec<NodeId> {
        let all = (0..ROUTERS).zip(&self.routers);
        let online: Vec<_> = all
            .filter(|(_, r)| r.online(self.now) && r.serves(&prefix) && !(by_tag && r.spare))
            .map(|(n, r)| (id(n), r.healthy(self.now)))
            .collect();
        let any_healthy = online.iter().any(|(_, healthy)| *healthy);
        online.into_iter().filter(|(_, healthy)| *healthy || !any_healthy).map(|(id, _)| id).collect()
    }
}

fn id(n: u8) -> NodeId {
    NodeId::new(u64::from(n) + 1).unwrap()
}
fn machine(n: u8) -> MachineKey {
    MachineKey::from_bytes([n + 1; 32]).unwrap()
}
fn node_key(n: u8) -> NodeKey {
    NodeKey::from_bytes([n + 100; 32]).unwrap()
}
fn verifier() -> Verifier {
    Verifier { pepper: 1, digest: [7; 32] }
}
fn tag(spare: bool) -> Tag {
    if spare { "tag:spare" } else { "tag:router" }.parse().unwrap()
}
fn prefixes() -> [IpNet; 2] {
    PREFIXES.map(|text| text.parse().unwrap())
}
/// Neither, one of the two, or both.
fn some(which: u8) -> BTreeSet<IpNet> {
    let [first, second] = prefixes();
    [(1, first), (2, second)].into_iter().filter(|(bit, _)| which & bit != 0).map(|(_, net)| net).collect()
}
fn offering(routes: &BTreeSet<IpNet>) -> Arc<Hostinfo> {
    Arc::new(Hostinfo { routable_ips: routes.iter().copied().collect(), ..Hostinfo::default() })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("MESHCTL_TEST_FULL").is_some() { 8192 } else { 256 }))]

    #[test]
    fn a_healthy_router_serves_and_nothing_moves_without_a_cause(
        events in prop::collection::vec(happens(), 0..60)
    ) {
        let mut tale = Tale::begin();
        for event in &events {
            let all = || prefixes().into_iter().flat_map(|prefix| [(prefix, false), (prefix, true)]);
            let before: Vec<_> = all().map(|(prefix, by_tag)| tale.serving(prefix, by_tag)).collect();
            tale.let_happen(event);
            for ((prefix, by_tag), before) in all().zip(before) {
                let (able, serving) = (tale.able(prefix, by_tag), tale.serving(prefix, by_tag));
                let said = format!("{prefix} (by tag: {by_tag}) after {event:?}: {before:?} became {serving:?}, able are {able:?}");
                prop_assert_eq!(serving.is_none(), able.is_empty(), "{}", said);
                prop_assert!(serving.is_none_or(|router| able.contains(&router)), "{}", said);
                let stays = before.is_some_and(|router| able.contains(&router));
                prop_assert!(!stays || serving == before, "{}", said);
            }
        }
    }
}

#[test]
fn a_silent_router_gives_way_and_takes_nothing_back() {
    let mut tale = Tale::begin();
    let [net, _] = prefixes();
    for router in [0, 1] {
        tale.let_happen(&Happens::Opens(router));
    }
    assert_eq!(tale.serving(net, false), Some(id(0)));
    tale.let_happen(&Happens::IsSilent { router: 0, late: true });
    assert_eq!(tale.serving(net, false), Some(id(0)), "another stream was silent");
    tale.let_happen(&Happens::IsSilent { router: 0, late: false });
    assert_eq!(tale.serving(net, false), Some(id(1)));
    tale.let_happen(&Happens::Answers { router: 0, late: false });
    assert_eq!(tale.serving(net, false), Some(id(1)));
    for router in [0, 1] {
        tale.let_happen(&Happens::IsSilent { router, late: false });
    }
    assert_eq!(tale.serving(net, false), Some(id(1)), "nobody is better");
}

#[test]
fn a_router_that_left_is_replaced_long_before_it_counts_as_gone() {
    let mut tale = Tale::begin();
    let [net, _] = prefixes();
    for router in [0, 1] {
        tale.let_happen(&Happens::Opens(router));
    }
    tale.let_happen(&Happens::Closes(0));
    tale.let_happen(&Happens::Passes { millis: 900 });
    assert_eq!(tale.serving(net, false), Some(id(0)), "it may have begun its poll anew");
    tale.let_happen(&Happens::Passes { millis: 200 });
    assert_eq!(tale.serving(net, false), Some(id(1)));
    assert!(tale.world.nodes.get(id(0)).unwrap().online(), "to its peers it is only a moment away");
    tale.let_happen(&Happens::Closes(1));
    tale.let_happen(&Happens::Passes { millis: 2000 });
    assert_eq!(tale.serving(net, false), Some(id(1)), "nobody can take over");
    tale.let_happen(&Happens::Passes { millis: 20_000 });
    assert_eq!(tale.serving(net, false), None);
}
