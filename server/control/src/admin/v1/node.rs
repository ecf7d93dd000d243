//! Devices.

mod view;

use std::{collections::BTreeSet, sync::Arc};

use api::v1::{
    Nothing, Stamp,
    node::{
        BACKFILL, Backfill, Changes, DELETE, EXPIRE, Expire, GET, LIST, List, MOVE, Move, Nodes, One, RENAME,
        ROUTES, Rename, Routes as Wanted, TAGS, Tags, Which,
    },
};
use ident::{NodeId, Tag};
use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::Value;
use world::{Command, Node, Refusal};

use super::{
    super::{
        Routes,
        call::{Call, Outcome},
        refused::Refused,
        told::{Told, Written},
    },
    Answer, by_name, by_path, rest, serve,
    unfit::Unfit,
    user,
};
use view::{is_connected, view};

pub(super) fn add(routes: Routes) -> Routes {
    let told = Arc::new(Told::default());
    let written = move |call, asked| list_written(told.clone(), call, asked);
    let routes = by_path(routes, LIST.declared(), written, rest::written);
    let routes = by_name(routes, &LIST, list);
    let routes = serve(routes, &GET, get);
    let routes = serve(routes, &DELETE, delete);
    let routes = serve(routes, &EXPIRE, expire);
    let routes = serve(routes, &RENAME, rename);
    let routes = serve(routes, &TAGS, tags);
    let routes = serve(routes, &ROUTES, approve);
    let routes = serve(routes, &MOVE, move_to);
    serve(routes, &BACKFILL, backfill)
}

async fn list(call: Call, asked: List) -> Answer<Nodes> {
    let now = Timestamp::now();
    let nodes = asked_for(&call, &asked)?;
    Ok(Nodes { nodes: nodes.into_iter().map(|n| view(&call.world, n, Some(now))).collect() })
}

async fn list_written(told: Arc<Told>, call: Call, asked: List) -> Answer<Vec<u8>> {
    let (world, now) = (&call.world, format!("\"{}\"", Timestamp::now()));
    let nodes = asked_for(&call, &asked)?;
    let list = told.list(world, &nodes, now.as_bytes(), |node| {
        let told = view(world, node, None);
        if is_connected(node) { Written::with_moment(&told, "lastSeen") } else { Written::plain(&told) }
    });
    Ok(list.map_err(|e| Refused::fault(&e))?)
}

fn asked_for<'a>(call: &'a Call, asked: &List) -> Answer<Vec<&'a Arc<Node>>> {
    let owner = match asked.user.as_str() {
        "" => None,
        name => Some(call.user(name)?.id),
    };
    let limit =
        if asked.limit == 0 { usize::MAX } else { usize::try_from(asked.limit).unwrap_or(usize::MAX) };
    let nodes = call.world.nodes.iter().filter(|n| n.id.get() > asked.after);
    Ok(nodes.filter(|n| owner.is_none() || n.owner.user() == owner).take(limit).collect())
}

async fn get(call: Call, asked: Which) -> Answer<One> {
    let node = find(&call, asked.node_id)?;
    Ok(One { node: Some(view(&call.world, &node, Some(Timestamp::now()))) })
}

async fn delete(call: Call, asked: Which) -> Answer<Nothing> {
    let id = find(&call, asked.node_id)?.id;
    call.carry_out(Command::DeleteNode { id }).await?;
    Ok(Nothing {})
}

async fn expire(call: Call, asked: Expire) -> Answer<One> {
    let id = find(&call, asked.node_id)?.id;
    let until = moment("body.expiry", asked.expiry)?;
    let command = match (asked.disable_expiry, until) {
        (true, Some(_)) => {
            let message = "leave one of expiry and disableExpiry out";
            return Err(Unfit::member("body.disableExpiry", true.into(), message));
        }
        (true, None) => Command::SetNodeExpiry { id, expiry: None },
        (false, Some(until)) if until > Timestamp::now() => {
            Command::SetNodeExpiry { id, expiry: Some(until) }
        }
        (false, _) => Command::ExpireNode { id },
    };
    carry_out(&call, id, command).await
}

async fn rename(call: Call, asked: Rename) -> Answer<One> {
    let id = find(&call, asked.node_id)?.id;
    carry_out(&call, id, Command::RenameNode { id, name: asked.new_name }).await
}

async fn tags(call: Call, asked: Tags) -> Answer<One> {
    let id = find(&call, asked.node_id)?.id;
    let tags = parse_tags("body.tags", &asked.tags)?;
    carry_out(&call, id, Command::TagNode { id, tags }).await
}

/// The whole list takes the place of the one before; what the policy approves by itself is in it and cannot be left out.
async fn approve(call: Call, asked: Wanted) -> Answer<One> {
    let node = find(&call, asked.node_id)?;
    let wanted = parse_routes(&asked.routes)?;
    if let Some(route) = node.auto_routes.iter().find(|route| !wanted.contains(route)) {
        let (node, route) = (node.name.clone(), route.to_string());
        return Err(Refusal::ApprovedByPolicy { node, route }.into());
    }
    let by_policy = |route: &IpNet| node.auto_routes.contains(route) && !node.approved_routes.contains(route);
    let routes = wanted.into_iter().filter(|route| !by_policy(route)).collect();
    carry_out(&call, node.id, Command::ApproveRoutes { id: node.id, routes }).await
}

async fn backfill(_: Call, asked: Backfill) -> Answer<Changes> {
    if !asked.confirmed {
        return Err(Unfit::member(
            "query.confirmed",
            Value::Bool(false),
            "say confirmed=true if it is meant",
        ));
    }
    Ok(Changes::default())
}

async fn move_to(call: Call, asked: Move) -> Answer<One> {
    let id = find(&call, asked.node_id)?.id;
    let user = match (asked.user.is_empty(), asked.user_id) {
        (true, 0) => {
            let message = "the login or the id of a person is needed";
            return Err(Unfit::member("body.user", Value::Null, message));
        }
        (true, number) => user::find(&call, "body.user", number)?,
        (false, _) => call.user(&asked.user)?.id,
    };
    carry_out(&call, id, Command::MoveNode { id, user }).await
}

async fn carry_out(call: &Call, id: NodeId, command: Command) -> Answer<One> {
    one(id, &call.carry_out(command).await?)
}

/// The device as it is after it.
pub(super) fn one(id: NodeId, outcome: &Outcome) -> Answer<One> {
    let node = outcome.world.nodes.get(id).ok_or_else(|| Refused::not_found("the node is gone already"))?;
    Ok(One { node: Some(view(&outcome.world, node, Some(Timestamp::now()))) })
}

fn find(call: &Call, number: u64) -> Answer<Arc<Node>> {
    let id = NodeId::new(number).map_err(|e| Unfit::member("path.nodeId", number.into(), e.to_string()))?;
    let missing = || Refusal::NotFound { noun: "node", name: id.to_string() };
    Ok(call.world.nodes.get(id).cloned().ok_or_else(missing)?)
}

/// Texts as prefixes.
pub(super) fn parse_routes(texts: &[String]) -> Answer<BTreeSet<IpNet>> {
    let parse = |text: &String| {
        let net: Result<IpNet, _> = text.parse();
        net.map_err(|_| {
            Unfit::member("body.routes", text.as_str().into(), "no prefix: for example 10.0.0.0/24")
        })
    };
    texts.iter().map(parse).collect()
}

/// Texts as tags.
pub(super) fn parse_tags(location: &str, texts: &[String]) -> Answer<Vec<Tag>> {
    let parse = |text: &String| {
        let tag: Result<Tag, _> = text.parse();
        tag.map_err(|e| Unfit::member(location, text.as_str().into(), e.to_string()))
    };
    texts.iter().map(parse).collect()
}

/// A moment that was said, if one was.
pub(super) fn moment(location: &str, stamp: Option<Stamp>) -> Answer<Option<Timestamp>> {
    let said = stamp.map(Stamp::moment).transpose();
    Ok(said.map_err(|message| Unfit::member(location, Value::Null, message))?.flatten())
}
