//! Devices of a list as they are written, kept from one list to the next: a list costs what has changed since the one before,
//! and the copy of what has not.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use ident::NodeId;
use serde::Serialize;
use world::{AuthKey, Node, Settings, User, World};

/// Beyond twice as many as there are, those of devices that are gone are let go.
const SPARE: usize = 64;
/// About what one takes.
const USUAL: usize = 1024;

/// What one interface tells of devices.
#[derive(Debug, Default)]
pub struct Told {
    kept: RwLock<HashMap<NodeId, Kept>>,
}

/// One device as it is written, for as long as everything that is told of it stays the same.
#[derive(Debug)]
struct Kept {
    of: Of,
    written: Written,
}

/// A device as JSON.
#[derive(Debug)]
pub struct Written {
    json: Box<[u8]>,
    /// Where the moment of the list goes, if anywhere.
    moment: Option<usize>,
}

impl Written {
    /// As it is, whenever it is told.
    pub fn plain(told: &impl Serialize) -> serde_json::Result<Self> {
        Ok(Self { json: serde_json::to_vec(told)?.into(), moment: None })
    }
    /// The member, which must be null, is the moment of the list.
    pub fn with_moment(told: &impl Serialize, member: &str) -> serde_json::Result<Self> {
        let mut json = serde_json::to_vec(told)?;
        // A text of a device cannot look like this: its quotes are escaped.
        let null = format!("\"{member}\":null");
        let at = json.windows(null.len()).position(|at| at == null.as_bytes());
        let moment = at.map(|at| at + null.len() - "null".len());
        if let Some(at) = moment {
            json.drain(at..at + "null".len());
        }
        Ok(Self { json: json.into(), moment })
    }

    fn append(&self, out: &mut Vec<u8>, moment: &[u8]) {
        let (before, after) = self.json.split_at(self.moment.unwrap_or_default());
        out.extend_from_slice(before);
        if self.moment.is_some() {
            out.extend_from_slice(moment);
        }
        out.extend_from_slice(after);
    }
}

/// What a device is told from: equal only where all of it is the very same.
#[derive(Debug)]
struct Of {
    revision: u64,
    settings: Arc<Settings>,
    owner: Option<Arc<User>>,
    key: Option<Arc<AuthKey>>,
    keys_user: Option<Arc<User>>,
}

impl Of {
    fn new(world: &World, node: &Node) -> Self {
        let user = |id| world.users.get(&id).cloned();
        let key = node.auth_key.and_then(|id| world.auth_keys.get(&id)).cloned();
        Self {
            revision: node.rev,
            settings: world.settings.clone(),
            owner: node.owner.user().or(node.responsible).and_then(user),
            keys_user: key.as_ref().and_then(|key| key.user).and_then(user),
            key,
        }
    }
    fn is(&self, other: &Self) -> bool {
        self.revision == other.revision
            && Arc::ptr_eq(&self.settings, &other.settings)
            && same(&self.owner, &other.owner)
            && same(&self.key, &other.key)
            && same(&self.keys_user, &other.keys_user)
    }
}

fn same<T>(one: &Option<Arc<T>>, other: &Option<Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

impl Told {
    /// `{"nodes":[…]}` of these devices; `moment` is JSON.
    pub fn list(
        &self,
        world: &World,
        nodes: &[&Arc<Node>],
        moment: &[u8],
        write: impl Fn(&Node) -> serde_json::Result<Written>,
    ) -> serde_json::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(USUAL * (nodes.len() + 1));
        out.extend_from_slice(b"{\"nodes\":[");
        let mut fresh = Vec::new();
        {
            let kept = self.kept.read().unwrap_or_else(|poisoned| poisoned.into_inner());
            for (number, node) in nodes.iter().enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                let of = Of::new(world, node);
                match kept.get(&node.id).filter(|kept| kept.of.is(&of)) {
                    Some(kept) => kept.written.append(&mut out, moment),
                    None => {
                        let written = write(node)?;
                        written.append(&mut out, moment);
                        fresh.push((node, Kept { of, written }));
                    }
                }
            }
        }
        out.extend_from_slice(b"]}");
        // What routers serve depends on other routers too.
        let fresh = fresh.into_iter().filter(|(node, _)| node.hostinfo.routable_ips.is_empty());
        self.keep(world, fresh.map(|(node, kept)| (node.id, kept)).collect());
        Ok(out)
    }

    fn keep(&self, world: &World, fresh: Vec<(NodeId, Kept)>) {
        if fresh.is_empty() {
            return;
        }
        let mut kept = self.kept.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.extend(fresh);
        if kept.len() > 2 * world.nodes.len() + SPARE {
            kept.retain(|id, _| world.nodes.get(*id).is_some());
        }
    }
}

/// JSON that was written already.
pub fn json(written: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], written).into_response()
}
