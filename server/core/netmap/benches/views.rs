//! What 1,000 nodes that see each other cost, without any socket: `cargo bench -p netmap`.
#![allow(clippy::unwrap_used, reason = "all of this is measuring code")]

use std::sync::Arc;

use divan::{Bencher, black_box};
use ident::{AuthKeyId, NodeId};
use jiff::Timestamp;
use netmap::{Own, Pieces, Span, filters, peer_json, sources, visible};
use wire::{Hostinfo, MapResponse};
use world::{
    Change, Command, Context, Draft, KeyDefaults, KeyProof, NodeReport, NonEmpty, Prepared, Registration,
    Role, Settings, Verifier, World,
};

const NODES: u64 = 1000;
const POLICY: &str = r#"{
    "tagOwners": {"tag:a": []},
    "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]
}"#;

fn main() {
    divan::main();
}

fn context() -> Context {
    Context { now: Timestamp::from_second(1_800_000_000).unwrap(), rng: 1 }
}

fn verifier() -> Verifier {
    Verifier { pepper: 1, digest: [7; 32] }
}

/// A tailnet of that many nodes of one tag, all of them online.
fn tailnet() -> Arc<World> {
    let mut draft = Draft::new(&World::empty(Settings::default()));
    let role = Role {
        name: "a".into(),
        tags: NonEmpty::new(vec!["tag:a".parse().unwrap()]).unwrap(),
        description: String::new(),
        key: KeyDefaults {
            expiry_seconds: 366 * 24 * 3600,
            reusable: true,
            ephemeral: false,
            node_expiry_seconds: None,
        },
    };
    let key = Command::CreateAuthKey {
        role: "a".into(),
        user: None,
        verifier: verifier(),
        expires: None,
        reusable: None,
        ephemeral: None,
        allow_no_access: true,
    };
    let prepared = Prepared::parse(POLICY).unwrap();
    for command in [Command::SetPolicy { prepared }, Command::SetRole { role }, key] {
        draft.step(&command, context()).unwrap();
    }
    for n in 1..=NODES {
        draft.step(&registration(n), context()).unwrap();
        let node = NodeId::new(n).unwrap();
        draft.step(&Command::StreamOpened { node, instance: 1, epoch: 1 }, context()).unwrap();
    }
    Arc::new(draft.world)
}

fn registration(n: u64) -> Command {
    Command::Register(Registration {
        machine: format!("mkey:{n:064x}").parse().unwrap(),
        node_key: format!("nodekey:{n:064x}").parse().unwrap(),
        old_node_key: None,
        proof: Some(KeyProof { id: AuthKeyId::new(1).unwrap(), verifier: verifier() }),
        hostinfo: Hostinfo { hostname: format!("host-{n}"), ..Hostinfo::default() }.into(),
        ephemeral: false,
        expiry: None,
        capver: 130,
    })
}

/// One node has another endpoint.
fn changed(world: &Arc<World>) -> (Arc<World>, Vec<Change>) {
    let node = world.nodes.get(NodeId::new(NODES / 2).unwrap()).unwrap();
    let report = NodeReport {
        machine: node.machine,
        node_key: node.node_key,
        hostinfo: None,
        endpoints: Some(vec!["192.0.2.9:41641".parse().unwrap()]),
        disco: None,
        home_derp: None,
        capver: node.live.capver,
    };
    let mut draft = Draft::new(world);
    draft.step(&Command::Report(report), context()).unwrap();
    assert!(!draft.changes.is_empty());
    (Arc::new(draft.world), draft.changes)
}

#[divan::bench]
fn view_of_1000_peers(bencher: Bencher) {
    let world = tailnet();
    let class = world.nodes.get(NodeId::new(1).unwrap()).unwrap().class;
    bencher.bench_local(|| visible(black_box(&world), class).count());
}

#[divan::bench]
fn render_one_peer(bencher: Bencher) {
    let world = tailnet();
    let node = world.nodes.get(NodeId::new(5).unwrap()).unwrap();
    let class = node.class.unwrap();
    bencher.bench_local(|| peer_json(black_box(&world), node, class).unwrap());
}

#[divan::bench]
fn delta_of_one_endpoint(bencher: Bencher) {
    let old = tailnet();
    let (new, changes) = changed(&old);
    let class = new.nodes.get(NodeId::new(1).unwrap()).unwrap().class;
    bencher.bench_local(|| {
        let span = Span::new(old.clone(), new.clone(), black_box(&changes));
        let delta = span.peers(class, class);
        assert!(!delta.is_empty());
        delta
    });
}

#[divan::bench]
fn render_a_delta(bencher: Bencher) {
    let old = tailnet();
    let (new, changes) = changed(&old);
    let (viewer, span) = (NodeId::new(1).unwrap(), Span::new(old, new.clone(), &changes));
    let class = new.nodes.get(viewer).unwrap().class;
    bencher.bench_local(|| {
        let pieces = Pieces::of(black_box(&span), class, class, &mut peer_json).unwrap();
        let own = Own::of(&span, viewer, &mut peer_json).unwrap();
        pieces.message_to(&own, MapResponse::default()).unwrap().unwrap()
    });
}

#[divan::bench]
fn filter_of_a_node(bencher: Bencher) {
    let world = tailnet();
    let node = world.nodes.get(NodeId::new(3).unwrap()).unwrap();
    let shared: Arc<[String]> = sources(&world, 0).into();
    bencher.bench_local(|| filters(black_box(&world), node, &mut |_| shared.clone()));
}

#[divan::bench]
fn sources_of_a_rule(bencher: Bencher) {
    let world = tailnet();
    bencher.bench_local(|| sources(black_box(&world), 0));
}
