//! What the server is now, beside what it was.

use std::collections::BTreeSet;

use api::{
    node::{self, Node},
    server,
};
use readiness::runbook::Identity;

use crate::{
    reset::Mesh,
    talk::{Context, Failure},
};

/// What tells the server of the plan from others. Who forgets itself when it goes away is not waited for.
pub fn before(mesh: &Mesh) -> Identity {
    Identity {
        public_key: mesh.public_key.to_string(),
        previous_key: None,
        database: mesh.database.clone(),
        machines: lasting(mesh).map(|n| n.machine_key.to_string()).collect(),
    }
}

/// The server that answers; `None` when none does.
pub async fn now(context: &Context) -> Option<Identity> {
    let status = context.read(&server::STATUS, &[], &()).await.ok()?;
    let nodes = context.read(&node::LIST, &[], &()).await.ok()?.nodes;
    let machines: BTreeSet<_> = nodes.iter().map(|n| n.machine_key.to_string()).collect();
    Some(Identity {
        public_key: status.public_key.to_string(),
        previous_key: status.previous_key.map(|key| key.to_string()),
        database: status.database,
        machines,
    })
}

/// Devices of the plan that have to be there.
pub fn lasting(mesh: &Mesh) -> impl Iterator<Item = &Node> {
    mesh.nodes.iter().filter(|n| !n.ephemeral && !n.logged_out)
}

/// Those of them that are not.
pub async fn missing<'a>(context: &Context, mesh: &'a Mesh) -> Result<Vec<&'a Node>, Failure> {
    let there = context.read(&node::LIST, &[], &()).await?.nodes;
    let is_back = |node: &Node| {
        let same = there.iter().find(|n| n.machine_key == node.machine_key || n.name == node.name);
        same.is_some_and(|n| !n.expired && !n.logged_out)
    };
    Ok(lasting(mesh).filter(|node| !is_back(node)).collect())
}
