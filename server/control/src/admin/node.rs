//! Devices.

use std::{sync::Arc, time::Duration};

use api::{
    Changed,
    node::{
        DELETE, EXPIRE, Expiry, LIST, MOVE, Move, Node, One, PING, Pong, RENAME, Rename, SET_EXPIRY, SHOW,
        TAG, Tags,
    },
};
use axum::response::Response;
use world::{Command, Lifecycle, Presence, World};

use super::{
    Routes,
    call::{Call, Outcome},
    key::in_seconds,
    refused::Refused,
    serve, serve_raw,
    told::{Told, Written, json},
    user,
};

/// Longer than a client takes that has to connect anew to answer.
const PONG_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn add(routes: Routes) -> Routes {
    let told = Arc::new(Told::default());
    let routes = serve_raw(routes, LIST.declared(), move |call, ()| list(told.clone(), call));
    let routes = serve(routes, &SHOW, show);
    let routes = serve(routes, &RENAME, rename);
    let routes = serve(routes, &TAG, tag);
    let routes = serve(routes, &EXPIRE, expire);
    let routes = serve(routes, &PING, ping);
    let routes = serve(routes, &SET_EXPIRY, set_expiry);
    let routes = serve(routes, &MOVE, move_to);
    serve(routes, &DELETE, delete)
}

async fn list(told: Arc<Told>, call: Call) -> Result<Response, Refused> {
    let world = &call.world;
    let nodes: Vec<_> = world.nodes.iter().collect();
    let list = told.list(world, &nodes, b"", |node| Written::plain(&view(world, node)));
    Ok(json(list.map_err(|e| Refused::fault(&e))?))
}

async fn show(call: Call, (): ()) -> Result<One, Refused> {
    let node = call.node(&call.name)?;
    Ok(One { node: view(&call.world, &node), agent: call.doors.reports.of(node.id) })
}

async fn rename(call: Call, input: Rename) -> Result<Changed<One>, Refused> {
    let id = call.node(&call.name)?.id;
    let outcome = call.carry_out(Command::RenameNode { id, name: input.name }).await?;
    changed(&call, id, outcome)
}

async fn tag(call: Call, input: Tags) -> Result<Changed<One>, Refused> {
    let id = call.node(&call.name)?.id;
    let outcome = call.carry_out(Command::TagNode { id, tags: input.tags }).await?;
    changed(&call, id, outcome)
}

async fn expire(call: Call, (): ()) -> Result<Changed<One>, Refused> {
    let id = call.node(&call.name)?.id;
    let outcome = call.carry_out(Command::ExpireNode { id }).await?;
    changed(&call, id, outcome)
}

async fn ping(call: Call, (): ()) -> Result<Pong, Refused> {
    let node = call.node(&call.name)?;
    let took = call.doors.calls.echo(&node, PONG_WITHIN).await?;
    let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    Ok(Pong { id: node.id, name: node.name.clone(), microseconds })
}

async fn set_expiry(call: Call, input: Expiry) -> Result<Changed<One>, Refused> {
    let id = call.node(&call.name)?.id;
    let expiry = input.seconds.map(in_seconds).transpose()?;
    let outcome = call.carry_out(Command::SetNodeExpiry { id, expiry }).await?;
    changed(&call, id, outcome)
}

async fn move_to(call: Call, input: Move) -> Result<Changed<One>, Refused> {
    let id = call.node(&call.name)?.id;
    let user = call.user(&input.user)?.id;
    let outcome = call.carry_out(Command::MoveNode { id, user }).await?;
    changed(&call, id, outcome)
}

async fn delete(call: Call, (): ()) -> Result<Changed<One>, Refused> {
    let node = call.node(&call.name)?;
    let outcome = call.carry_out(Command::DeleteNode { id: node.id }).await?;
    let agent = call.doors.reports.of(node.id);
    Ok(call.answer(outcome.changed, One { node: view(&call.world, &node), agent }))
}

pub(super) fn changed(call: &Call, id: ident::NodeId, outcome: Outcome) -> Result<Changed<One>, Refused> {
    let node = outcome.world.nodes.get(id).ok_or_else(|| Refused::not_found("the node is gone already"))?;
    let agent = call.doors.reports.of(id);
    Ok(call.answer(outcome.changed, One { node: view(&outcome.world, node), agent }))
}

fn view(world: &World, node: &world::Node) -> Node {
    let connected = matches!(node.live.presence, Presence::Connected { .. });
    Node {
        id: node.id,
        name: node.name.clone(),
        fqdn: world.fqdn(node).trim_end_matches('.').to_owned(),
        online: node.online(),
        last_seen: node.live.last_seen.filter(|_| !connected),
        tags: node.owner.tags().to_vec(),
        user: user::login(world, node.owner.user().or(node.responsible)),
        ipv4: node.v4,
        ipv6: node.v6,
        created: node.created,
        expires: node.key_expiry,
        expired: node.expired,
        logged_out: node.lifecycle == Lifecycle::LoggedOut,
        ephemeral: node.ephemeral,
        os: node.hostinfo.os.clone(),
        client_version: node.hostinfo.ipn_version.clone(),
        advertised_routes: node.hostinfo.routable_ips.clone(),
        approved_routes: node.approved_routes.union(&node.auto_routes).copied().collect(),
        primary_routes: world.primary_routes(node).collect(),
        endpoints: node.live.endpoints.clone(),
        home_derp: node.live.home_derp,
        machine_key: node.machine,
        node_key: node.node_key,
        key_id: node.auth_key,
    }
}
