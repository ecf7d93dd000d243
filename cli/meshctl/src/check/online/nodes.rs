//! Devices, routes and people.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use readiness::{
    State, Verdict,
    check::{
        agent,
        nodes::{self, Node},
        routes::{self, Route},
    },
};

use crate::{check::facts::Facts, probe};

/// Devices that are pinged at most.
const PINGED: usize = 16;

/// `clients.reregistered`.
pub async fn reregistered(facts: &Facts<'_>) -> Result<Verdict, Verdict> {
    let Some(memory) = &facts.memory else {
        return Ok(Verdict::unknown("it is not known which devices there were: --expect FILE")
            .fix("meshctl check --remember FILE   # before the next reset"));
    };
    let before: Vec<_> = memory.nodes.iter().map(plain).collect();
    let after: Vec<_> = facts.nodes().await?.nodes.iter().map(plain).collect();
    Ok(nodes::reregistered(&before, memory.at, &after))
}

/// `nodes.registered`.
pub async fn registered(facts: &Facts<'_>) -> Result<Verdict, Verdict> {
    let all: Vec<_> = facts.nodes().await?.nodes.iter().map(plain).collect();
    Ok(nodes::registered(&all))
}

/// `nodes.reachable`.
pub async fn reachable(facts: &Facts<'_>) -> Result<Verdict, Verdict> {
    let program = facts.inputs.tailscale.as_deref().unwrap_or("tailscale");
    let socket = facts.inputs.tailscale_socket.as_deref();
    let online = facts.nodes().await?.nodes.iter().filter(|n| n.online && !n.expired).take(PINGED);
    let ping = |node: &api::node::Node| {
        let (name, address) = (node.name.clone(), node.ipv4.to_string());
        async move { (name, probe::ping::mesh(program, socket, &address).await) }
    };
    let mut pings = Vec::new();
    for (name, ping) in join_all(online.map(ping)).await {
        match ping {
            Ok(ping) => pings.push((name, ping)),
            Err(why) => return Ok(nodes::reachable(Err(&why))),
        }
    }
    Ok(nodes::reachable(Ok(&pings)))
}

/// `agents.healthy`.
pub async fn agents(facts: &Facts<'_>) -> Result<Verdict, Verdict> {
    let now = facts.context.screen().now;
    let one = |agent: &api::agent::Agent| agent::Agent {
        node: agent.name.clone(),
        online: agent.online,
        silent_seconds: agent.seen.missed.then(|| now.as_second() - agent.seen.received.as_second()),
        checks: agent.seen.report.checks.iter().map(found).collect(),
    };
    let agents: Vec<_> = facts.agents().await?.agents.iter().map(one).collect();
    Ok(agent::healthy(&agents))
}

fn found(check: &api::agent::Check) -> (String, State, String, Option<String>) {
    (check.id.clone(), crate::agent::judged(check.state), check.detail.clone(), check.fix.clone())
}

/// `routes.serving`.
pub async fn routes(facts: &Facts<'_>) -> Result<Verdict, Verdict> {
    let route = |r: &api::route::Route| Route {
        prefix: r.prefix.to_string(),
        node: r.node.clone(),
        advertised: r.advertised,
        approved: r.approved,
        primary: r.primary,
        online: r.online,
    };
    let all: Vec<_> = facts.routes().await?.routes.iter().map(route).collect();
    let expected = facts.memory.as_ref().map(|m| m.routes.clone()).unwrap_or_default();
    Ok(routes::serving(&all, &expected))
}

/// `users.exist`.
pub async fn users(facts: &Facts<'_>) -> Result<Verdict, Verdict> {
    let many = facts.users().await?.users.len();
    let verdict = match many {
        0 => Verdict::warn("nobody is responsible for any device").fix("meshctl user create alice"),
        many => Verdict::pass(format!("{many} people are known")),
    };
    Ok(verdict.seen("people", "the server", many.to_string()))
}

fn plain(node: &api::node::Node) -> Node {
    Node {
        name: node.name.clone(),
        machine_key: node.machine_key.to_string(),
        tags: node.tags.iter().map(ToString::to_string).collect::<BTreeSet<_>>(),
        address: node.ipv4.to_string(),
        online: node.online,
        ephemeral: node.ephemeral,
        last_seen: node.last_seen,
    }
}
