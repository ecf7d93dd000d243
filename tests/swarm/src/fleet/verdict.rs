//! Whether the witnesses were told the truth: against what swarm did itself, and against a fresh full map.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError},
};

use anyhow::{Context, Result};
use harness::{Client, Family, Model, View};
use wire::Node;

use super::{Device, Fleet};
use crate::say;

/// Witnesses that are compared with a fresh map as well, evenly spread: each costs the server a full map.
const FRESH_MAPS: usize = 64;
/// Wrong witnesses that are told of; the rest is only counted.
const PRINTED: usize = 10;

/// How many models were looked at, and how many of them were wrong.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Verdict {
    pub models_checked: usize,
    pub models_wrong: usize,
}

impl Fleet {
    /// Compares every witness; to be called when nothing is under way.
    pub async fn verdict(&self) -> Result<Verdict> {
        let mut wrong = 0;
        let fresh = self.witnesses.len().div_ceil(FRESH_MAPS);
        for (n, (device, witness)) in self.witnesses.iter().enumerate() {
            let model = witness.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let mut found = self.faults(*device, &model)?;
            if n % fresh == 0 {
                found.extend(differences(&model.view(), &self.fresh_map(*device).await?.view()));
            }
            if !found.is_empty() {
                wrong += 1;
                if wrong <= PRINTED {
                    say(&format!(
                        "  device {device} is wrong in {} points, first: {}",
                        found.len(),
                        found[0]
                    ));
                }
            }
        }
        Ok(Verdict { models_checked: self.witnesses.len(), models_wrong: wrong })
    }

    async fn fresh_map(&self, device: usize) -> Result<Model> {
        let device = self.devices.get(device).context("a device")?;
        let client = Client::connect(&self.server, &device.identity.machine).await?;
        let request = device.identity.stream_request(&device.hostname);
        let mut model = Model::new(Family::Go);
        model.fold(
            client.map_once(&request).await.with_context(|| format!("a map for {}", device.hostname))?,
        )?;
        Ok(model)
    }

    /// What is wrong by what swarm did and by the policy in force: the device sees those others whom it may see,
    /// online, at the endpoint last reported, and nobody else.
    fn faults(&self, device: usize, model: &Model) -> Result<Vec<String>> {
        let mut faults = self.misheld(device, model)?;
        let (kind, phase) = (self.topology.kind(device), self.phase());
        let visible: HashSet<_> = self
            .devices
            .iter()
            .filter(|d| d.number != device && self.topology.sees(phase, kind, self.topology.kind(d.number)))
            .map(|d| d.identity.node)
            .collect();
        let strangers = model.peers().values().filter(|p| !visible.contains(&p.key));
        faults.extend(strangers.map(|p| format!("{} is not to be seen", p.name)));
        Ok(faults)
    }

    /// The same without a look at whom it sees besides, who may be guests.
    pub fn misheld(&self, device: usize, model: &Model) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        if model.strays() > 0 {
            faults.push(format!("{} changes to peers that it never had", model.strays()));
        }
        let peers: HashMap<_, _> = model.peers().values().map(|p| (p.key, p)).collect();
        let (kind, phase) = (self.topology.kind(device), self.phase());
        let visible = |d: &&Arc<Device>| {
            d.number != device && self.topology.sees(phase, kind, self.topology.kind(d.number))
        };
        for other in self.devices.iter().filter(visible) {
            let endpoint = self.shared.ledger.current(other.number)?.endpoint()?;
            let is_sent = self.topology.is_sent_by(phase, kind, self.topology.kind(other.number));
            let right = |p: &Node| {
                p.endpoints == [endpoint]
                    && p.online == Some(true)
                    && p.home_derp == 900
                    && p.disco_key == Some(other.identity.disco)
                    // What routers are told of each other's routes is none of this topology's business.
                    && (!self.topology.is_ordinary(device)
                        || other.identity.routes.iter().all(|r| p.allowed_ips.contains(r) == is_sent))
            };
            match peers.get(&other.identity.node) {
                Some(peer) if right(peer) => {}
                Some(_) => faults.push(format!("{} is not as it last reported", other.hostname)),
                None => faults.push(format!("{} is missing", other.hostname)),
            }
        }
        Ok(faults)
    }
}

/// Where the state that was built up differs from one that comes at once.
fn differences(held: &View, fresh: &View) -> Vec<String> {
    let mut found = Vec::new();
    for (id, peer) in &fresh.peers {
        match held.peers.get(id) {
            None => found.push(format!("peer {id} is missing")),
            Some(old) if old != peer => found.push(format!("peer {id} is held as {old:?}, fresh {peer:?}")),
            Some(_) => {}
        }
    }
    found.extend(
        held.peers
            .keys()
            .filter(|id| !fresh.peers.contains_key(id))
            .map(|id| format!("peer {id} is left over")),
    );
    let same_peers = View { peers: fresh.peers.clone(), ..held.clone() };
    if same_peers != *fresh {
        found.push("something beside the peers differs".to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use ident::NodeId;
    use wire::{MapResponse, PeerChange};

    use super::*;

    fn node(n: u64) -> Node {
        let text = format!(
            r#"{{"ID":{n},"StableID":"n{n}","Name":"h{n}.mesh.","User":1,"Key":"nodekey:{n:064x}","Online":true,
                "Addresses":["100.64.0.{n}/32","fd7a::{n}/128"]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn peers(list: &[u64]) -> MapResponse {
        MapResponse { peers: Some(list.iter().map(|n| node(*n)).collect()), ..MapResponse::default() }
    }

    fn held(messages: impl IntoIterator<Item = MapResponse>) -> View {
        let mut model = Model::new(Family::Go);
        model.fold(MapResponse { node: Some(Box::new(node(1))), ..MapResponse::default() }).unwrap();
        messages.into_iter().for_each(|m| model.fold(m).unwrap());
        model.view()
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let gone = PeerChange { online: Some(false), ..PeerChange::new(NodeId::new(2).unwrap()) };
        let offline = MapResponse { peers_changed_patch: vec![gone], ..MapResponse::default() };
        let renamed = MapResponse { domain: "other".into(), ..MapResponse::default() };
        let whole = || peers(&[2, 3]);
        let count = |held: &View, fresh: &View| differences(held, fresh).len();
        assert_eq!(count(&held([whole()]), &held([peers(&[2]), peers(&[3, 2])])), 0);
        assert_eq!(count(&held([peers(&[2])]), &held([whole()])), 1);
        assert_eq!(count(&held([whole()]), &held([peers(&[2])])), 1);
        assert_eq!(count(&held([whole()]), &held([whole(), offline])), 1);
        assert_eq!(count(&held([whole()]), &held([whole(), renamed])), 1);
    }
}
