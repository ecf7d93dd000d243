//! What was handed out, and what a step back in time does to it.

use std::collections::BTreeMap;

use ident::{ApiKeyId, AuthKeyId, NodeKey};
use jiff::Timestamp;
use serde::Serialize;
use world::{AuthKey, World};

/// Who and what could come in at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    issued: BTreeMap<Credential, (String, bool)>,
    nodes: BTreeMap<NodeKey, String>,
}

/// A secret by its number and its verifier: numbers are given again after a step back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Credential {
    Key(AuthKeyId, [u8; 32]),
    ApiKey(ApiKeyId, [u8; 32]),
}

/// A credential in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issued {
    /// `key` or `apikey`.
    pub noun: &'static str,
    /// Its number.
    pub id: String,
    /// Of a key the role, of an API key what it is for.
    pub of: String,
}

/// What another state makes of things that were handed out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Returned {
    /// Secrets that worked and work no more.
    pub dead: Vec<Issued>,
    /// Secrets that were used up, revoked or unknown and work.
    pub alive_again: Vec<Issued>,
    /// Devices that have to register again.
    pub nodes_gone: Vec<String>,
    /// Devices that were deleted and are there.
    pub nodes_back: Vec<String>,
}

impl Ledger {
    /// Everything in this World, judged at `now`.
    pub fn of(world: &World, now: Timestamp) -> Self {
        let keys = world.auth_keys.values().map(|key| {
            let good = key.revoked.is_none() && key.expires > now && (key.reusable || key.used == 0);
            let AuthKey { id, role, verifier, .. } = &**key;
            (Credential::Key(*id, verifier.digest), (role.clone(), good))
        });
        let apikeys = world.api_keys.values().map(|key| {
            let words = (key.description.clone(), key.is_good(now));
            (Credential::ApiKey(key.id, key.verifier.digest), words)
        });
        let nodes = world.nodes.iter().map(|node| (node.node_key, node.name.clone()));
        Self { issued: keys.chain(apikeys).collect(), nodes: nodes.collect() }
    }

    /// What becomes of this when the other one takes its place.
    pub fn replaced_by(&self, next: &Ledger) -> Returned {
        Returned {
            dead: good_in_first_only(self, next),
            alive_again: good_in_first_only(next, self),
            nodes_gone: in_first_only(&self.nodes, &next.nodes),
            nodes_back: in_first_only(&next.nodes, &self.nodes),
        }
    }
}

fn good_in_first_only(first: &Ledger, other: &Ledger) -> Vec<Issued> {
    let is_good = |ledger: &Ledger, key| ledger.issued.get(key).is_some_and(|(_, good)| *good);
    let found = first.issued.iter().filter(|(key, (_, good))| *good && !is_good(other, key));
    found.map(|(key, (of, _))| key.issued(of)).collect()
}

fn in_first_only(first: &BTreeMap<NodeKey, String>, other: &BTreeMap<NodeKey, String>) -> Vec<String> {
    first.iter().filter(|(key, _)| !other.contains_key(key)).map(|(_, name)| name.clone()).collect()
}

impl Credential {
    fn issued(&self, of: &str) -> Issued {
        let (noun, id) = match self {
            Credential::Key(id, _) => ("key", id.to_string()),
            Credential::ApiKey(id, _) => ("apikey", id.to_string()),
        };
        Issued { noun, id, of: of.to_owned() }
    }
}
