//! Routes.

use std::collections::BTreeSet;

use api::{
    Changed,
    route::{APPROVE, Choice, LIST, REVOKE, Route, Routes as List, State},
};
use ipnet::IpNet;
use world::{Command, Node, Refusal, World};

use super::{Routes, call::Call, refused::Refused, serve};

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &LIST, list);
    let routes = serve(routes, &APPROVE, approve);
    serve(routes, &REVOKE, revoke)
}

async fn list(call: Call, (): ()) -> Result<List, Refused> {
    let mut routes: Vec<_> = call.world.nodes.iter().flat_map(|n| view(&call.world, n)).collect();
    routes.sort_by_key(|r| (r.prefix, r.node_id));
    Ok(List { routes })
}

async fn approve(call: Call, input: Choice) -> Result<Changed<List>, Refused> {
    let node = call.node(&input.node)?;
    let chosen = node.approved_routes.iter().chain(&input.prefixes).copied().collect();
    set(call, &node, &input.prefixes, chosen).await
}

async fn revoke(call: Call, input: Choice) -> Result<Changed<List>, Refused> {
    let node = call.node(&input.node)?;
    let exit = |p: &IpNet| p.prefix_len() == 0;
    let any_exit = input.prefixes.iter().any(exit);
    let goes = |p: &IpNet| input.prefixes.contains(p) || (any_exit && exit(p));
    if let Some(route) = node.auto_routes.iter().find(|p| goes(p)) {
        let (node, route) = (node.name.clone(), route.to_string());
        return Err(Refusal::ApprovedByPolicy { node, route }.into());
    }
    let chosen = node.approved_routes.iter().filter(|p| !goes(p)).copied().collect();
    set(call, &node, &input.prefixes, chosen).await
}

async fn set(
    call: Call,
    node: &Node,
    asked: &[IpNet],
    routes: BTreeSet<IpNet>,
) -> Result<Changed<List>, Refused> {
    if asked.is_empty() {
        return Err(Refusal::OutOfRange { what: "prefixes", rule: "at least one prefix" }.into());
    }
    let outcome = call.carry_out(Command::ApproveRoutes { id: node.id, routes }).await?;
    let after = outcome.world.nodes.get(node.id);
    let routes = after.map(|n| view(&outcome.world, n)).unwrap_or_default();
    Ok(call.answer(outcome.changed, List { routes }))
}

fn view(world: &World, node: &Node) -> Vec<Route> {
    let advertised = &node.hostinfo.routable_ips;
    let all: BTreeSet<IpNet> = advertised.iter().chain(&node.approved_routes).copied().collect();
    let route = |prefix: IpNet| {
        let primary = world.primaries.get(&prefix) == Some(&node.id);
        let by_tags = world.via_primaries.iter().filter(|((p, _), id)| *p == prefix && **id == node.id);
        let serves_tags: Vec<_> = by_tags.map(|((_, tag), _)| tag.clone()).collect();
        Route {
            prefix,
            node_id: node.id,
            node: node.name.clone(),
            advertised: advertised.contains(&prefix),
            approved: node.may_serve(&prefix),
            primary,
            online: node.online(),
            responsive: node.live.responsive,
            state: state(node, &prefix, primary || !serves_tags.is_empty()),
            serves_tags,
        }
    };
    all.into_iter().map(route).collect()
}

fn state(node: &Node, prefix: &IpNet, serves: bool) -> State {
    if !node.hostinfo.routable_ips.contains(prefix) {
        State::NotOffered
    } else if !node.may_serve(prefix) {
        State::NotApproved
    } else if !node.can_route() {
        State::Offline
    } else if prefix.prefix_len() == 0 {
        State::Exit
    } else if serves {
        State::Serving
    } else if !node.live.responsive {
        State::Silent
    } else {
        State::Standby
    }
}
