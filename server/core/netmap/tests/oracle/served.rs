//! A World with the people and devices of a roster, all of them connected.

use std::{collections::BTreeMap, sync::Arc};

use ident::{NodeId, UserId};
use jiff::Timestamp;
use netmap::{Site, Span, full};
use policy::{Device, Person, PolicyErrors, Roster};
use wire::Hostinfo;
use world::{
    Command, Context, Draft, DurableEvent, Lifecycle, Live, Node, NonEmpty, Owner, Prepared, Settings, User,
    World,
};

use crate::compare::Told;

pub struct Served {
    world: World,
    ids: BTreeMap<String, NodeId>,
    hosts: BTreeMap<NodeId, String>,
}

impl Served {
    /// Devices join in the order of the roster, so that the first of several routers is the primary.
    pub fn new(roster: &Roster, policy: &str) -> Result<Self, PolicyErrors> {
        let mut draft = Draft::new(&World::empty(Settings::default()));
        let context = Context { now: Timestamp::UNIX_EPOCH, rng: 1 };
        draft.step(&Command::SetPolicy { prepared: Prepared::parse(policy)? }, context).unwrap();
        for (at, person) in roster.people.iter().enumerate() {
            draft.apply(&DurableEvent::UserCreated { user: user(at, person) }.into());
        }
        let (mut ids, mut hosts) = (BTreeMap::new(), BTreeMap::new());
        for (device, number) in roster.devices.iter().zip(1u64..) {
            let id = NodeId::new(number).unwrap();
            ids.insert(device.name.clone(), id);
            hosts.insert(id, device.host.clone());
            draft.apply(&DurableEvent::NodeRegistered { node: Box::new(node(id, device)) }.into());
            draft.step(&Command::StreamOpened { node: id, instance: 1, epoch: 1 }, context).unwrap();
        }
        draft.world.check_invariants().unwrap();
        Ok(Self { world: draft.world, ids, hosts })
    }

    /// How many viewer classes there are.
    pub fn classes(&self) -> usize {
        self.world.classes.len()
    }

    pub fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.hosts.keys().copied()
    }

    /// One more device.
    pub fn join(&mut self, device: &Device) -> (NodeId, Span) {
        let old = Arc::new(self.world.clone());
        let id = self.world.next_ids().node;
        let mut draft = Draft::new(&old);
        draft.apply(&DurableEvent::NodeRegistered { node: Box::new(node(id, device)) }.into());
        self.world = draft.world;
        self.hosts.insert(id, device.host.clone());
        (id, Span::new(old, Arc::new(self.world.clone()), &draft.changes))
    }

    /// What the device with this name is told.
    pub fn told(&self, name: &str) -> Told {
        let viewer = self.world.nodes.get(self.ids[name]).unwrap();
        let site = Site { derp_map: Arc::default(), collect_logs: false };
        let map = full(&self.world, viewer, &site, Timestamp::UNIX_EPOCH);
        Told::of_map(&map, |id| self.hosts[&id].clone())
    }
}

fn user(at: usize, person: &Person) -> User {
    let login = if person.email.is_empty() { &person.name } else { &person.email };
    User { id: id_of(at), login: login.clone(), display_name: String::new(), created: Timestamp::UNIX_EPOCH }
}

fn id_of(person: usize) -> UserId {
    UserId::new(person as u64 + 1).unwrap()
}

fn node(id: NodeId, device: &Device) -> Node {
    let owner = match NonEmpty::new(device.tags.clone()) {
        Some(tags) => Owner::Tags(tags),
        None => Owner::User(id_of(device.owner.expect("a device without tags is somebody's"))),
    };
    Node {
        id,
        machine: format!("mkey:{:064x}", id.get()).parse().unwrap(),
        node_key: format!("nodekey:{:064x}", id.get()).parse().unwrap(),
        name: format!("host{id}"),
        renamed: false,
        owner,
        responsible: None,
        auth_key: None,
        v4: device.v4,
        v6: device.v6,
        created: Timestamp::UNIX_EPOCH,
        key_expiry: None,
        ephemeral: false,
        lifecycle: Lifecycle::Active,
        approved_routes: device.routes.iter().copied().collect(),
        auto_routes: Default::default(),
        hostinfo: Hostinfo {
            routable_ips: device.routes.clone(),
            os: device.traits.as_ref().map(|traits| traits.os.clone()).unwrap_or_default(),
            ..Hostinfo::default()
        }
        .into(),
        live: Live::default(),
        class: None,
        badge: Default::default(),
        expired: false,
        never_expires: false,
        rev: 0,
    }
}
