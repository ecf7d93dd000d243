//! Clients that follow one stream each.

use std::collections::BTreeMap;

use harness::{Family, Model};
use ident::NodeId;
use jiff::Timestamp;
use netmap::{Logins, Own, Pieces, Site, Span, Whole, close, full, open, peer_json, sources};
use proptest::prelude::*;
use wire::MapResponse;
use world::{Node, World};

use crate::tailnet::Tailnet;

/// A Go client of the messages as values, and a Rust client of the messages as rendered.
struct Reader {
    cursor: usize,
    go: Model,
    rust: Model,
}

#[derive(Default)]
pub struct Readers(BTreeMap<NodeId, Reader>);

pub fn fresh(world: &World, viewer: &Node) -> MapResponse {
    full(world, viewer, &Site { derp_map: Default::default(), collect_logs: false }, Timestamp::UNIX_EPOCH)
}

fn rendered(pieces: &Pieces, head: MapResponse, own: &Own) -> Option<MapResponse> {
    let json = pieces.message_to(own, head).unwrap()?;
    assert!(!json.contains(&b'\\'));
    Some(serde_json::from_slice(&json).unwrap())
}

/// The whole map as it is put together from pieces.
fn rendered_fresh(world: &World, viewer: &Node) -> MapResponse {
    let whole = Whole::of(world, viewer);
    let head = MapResponse { peers: None, user_profiles: Vec::new(), ..fresh(world, viewer) };
    let blocks: Vec<_> = whole.blocks().iter().map(|b| b.json(&mut peer_json).unwrap()).collect();
    let opened = open(&head, world, whole.users(), !blocks.is_empty()).unwrap();
    let json = [opened, blocks.join(&b','), close(!blocks.is_empty()).to_vec()].concat();
    assert!(!json.contains(&b'\\'));
    serde_json::from_slice(&json).unwrap()
}

fn rendered_delta(span: &Span, viewer: NodeId) -> Vec<MapResponse> {
    let (before, after) = span.classes_of(viewer);
    let pieces = Pieces::of(span, before, after, &mut peer_json).unwrap();
    let mut private = span.private(viewer, &mut |rule| sources(&span.new, rule).into());
    if let Some(policy) = span.logins(viewer, &mut Logins::default()) {
        private.get_or_insert_default().ssh_policy = Some(policy);
    }
    let own = Own::of(span, viewer, &mut peer_json).unwrap();
    if span.regroups(viewer) {
        return rendered(&pieces, private.unwrap_or_default(), &own).into_iter().collect();
    }
    private.into_iter().chain(rendered(&pieces, MapResponse::default(), &own)).collect()
}

impl Readers {
    /// Whoever is gone or logged out ends its stream.
    pub fn forget_absent(&mut self, world: &World) {
        self.0.retain(|id, _| world.nodes.get(*id).is_some_and(|n| n.class.is_some()));
    }

    /// One client reads up to now: a whole map first, then differences. Returns what it was told.
    pub fn read(&mut self, tailnet: &Tailnet, viewer: &Node) -> Result<String, TestCaseError> {
        let world = tailnet.world();
        let mut said = Vec::new();
        match self.0.get_mut(&viewer.id) {
            Some(reader) => {
                let Some(span) = tailnet.span_since(reader.cursor) else { return Ok(String::new()) };
                said.extend(span.delta(viewer.id, &mut |rule| sources(world, rule).into()));
                said.iter().try_for_each(|m| reader.go.fold(m.clone())).unwrap();
                let rendered = rendered_delta(&span, viewer.id);
                prop_assert_eq!(rendered.len(), said.len());
                rendered.into_iter().try_for_each(|m| reader.rust.fold(m)).unwrap();
                reader.cursor = tailnet.head();
            }
            None => {
                let mut reader = Reader {
                    cursor: tailnet.head(),
                    go: Model::new(Family::Go),
                    rust: Model::new(Family::Rust),
                };
                said.push(fresh(world, viewer));
                reader.go.fold(fresh(world, viewer)).unwrap();
                let rendered = rendered_fresh(world, viewer);
                prop_assert_eq!(&rendered, &fresh(world, viewer));
                reader.rust.fold(rendered).unwrap();
                self.0.insert(viewer.id, reader);
            }
        }
        self.0[&viewer.id].check(world, viewer)?;
        prop_assert!(said.iter().all(|m| m.peers.as_ref().is_none_or(|p| !p.is_empty())));
        Ok(format!("{said:?}"))
    }
}

impl Reader {
    fn check(&self, world: &World, viewer: &Node) -> Result<(), TestCaseError> {
        for (model, family) in [(&self.go, Family::Go), (&self.rust, Family::Rust)] {
            let mut right = Model::new(family);
            right.fold(fresh(world, viewer)).unwrap();
            prop_assert_eq!(model.view(), right.view(), "node {} as {:?}", viewer.id, family);
            prop_assert_eq!(model.strays(), 0);
            prop_assert_eq!(model.view().nameless(), []);
        }
        Ok(())
    }
}
