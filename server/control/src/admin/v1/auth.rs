//! Devices and logins that wait for somebody's yes.

use std::sync::Arc;

use api::v1::{
    Nothing,
    auth::{APPROVE, DEBUG, Debug, REGISTER, REGISTER_NODE, REJECT, Register, RegisterNode, Which},
    node::{Node, One},
};
use ident::UserId;
use ipnet::IpNet;
use serde_json::Value;
use wire::Hostinfo;
use world::{Answer as Decided, Command, NewOwner};

use super::{
    super::{Routes, call::Call, refused::Refused},
    Answer,
    node::{one, parse_routes},
    serve,
    unfit::Unfit,
    user,
};
use crate::pending::{Code, Visit};

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &REGISTER, register);
    let routes = serve(routes, &REGISTER_NODE, register_node);
    let routes = serve(routes, &APPROVE, approve);
    let routes = serve(routes, &REJECT, reject);
    serve(routes, &DEBUG, debug)
}

async fn register(call: Call, asked: Register) -> Answer<One> {
    let code = said("body.authId", &asked.auth_id)?;
    let owner = NewOwner::User(person(&call, "body.user", &asked.user)?);
    let_in(&call, code, owner).await
}

async fn register_node(call: Call, asked: RegisterNode) -> Answer<One> {
    let code = said("query.key", &asked.key)?;
    let owner = NewOwner::User(person(&call, "query.user", &asked.user)?);
    let_in(&call, code, owner).await
}

/// Nobody says whose a device is that is only approved: it is again what it was.
async fn approve(call: Call, asked: Which) -> Answer<Nothing> {
    let code = said("body.authId", &asked.auth_id)?;
    match visit(&call, code) {
        Some(visit) => confirm(&call, &visit, true).await?,
        None => drop(let_in(&call, code, NewOwner::Same).await?),
    }
    Ok(Nothing {})
}

async fn reject(call: Call, asked: Which) -> Answer<Nothing> {
    let code = said("body.authId", &asked.auth_id)?;
    if let Some(visit) = visit(&call, code) {
        confirm(&call, &visit, false).await?;
        return Ok(Nothing {});
    }
    let login = call.doors.pending.login(code)?;
    call.carry_out(Command::DenyLogin { login: login.registration() }).await?;
    call.doors.pending.deny(&login.code);
    Ok(Nothing {})
}

async fn debug(call: Call, asked: Debug) -> Answer<One> {
    let location = "body.key";
    let form = || Unfit::member(location, asked.key.as_str().into(), "24 letters, digits, - and _");
    let code = Code::parse(said(location, &asked.key)?).ok_or_else(form)?;
    let user = person(&call, "body.user", &asked.user)?;
    let routable_ips: Vec<IpNet> = parse_routes(&asked.routes)?.into_iter().collect();
    let hostname = wire::plain(&asked.name).chars().take(63).collect();
    let hostinfo = Hostinfo { hostname, routable_ips, ..Hostinfo::default() };
    let login = call.doors.pending.invent(code, hostinfo, call.source());
    let login = login.map_err(|why| Unfit::member(location, asked.key.into(), why.to_string()))?;
    let routes = login.hostinfo.routable_ips.iter();
    let node = Node {
        machine_key: login.machine.to_string(),
        node_key: login.node_key.to_string(),
        name: login.hostinfo.hostname.clone(),
        user: call.world.users.get(&user).map(|user| user::view(user)),
        available_routes: routes.map(ToString::to_string).collect(),
        ..Node::default()
    };
    Ok(One { node: Some(node) })
}

fn said<'a>(location: &str, code: &'a str) -> Answer<&'a str> {
    let message = "the code that the device shows is needed, with hskey-authreq- before it or without";
    (!code.is_empty()).then_some(code).ok_or_else(|| Unfit::member(location, Value::Null, message))
}

fn person(call: &Call, location: &str, name: &str) -> Answer<UserId> {
    if name.is_empty() {
        return Err(Unfit::member(location, Value::Null, "the login or the id of a person is needed"));
    }
    Ok(call.user(name)?.id)
}

async fn let_in(call: &Call, code: &str, owner: NewOwner) -> Answer<One> {
    let command = call.doors.pending.approval(code, owner)?;
    let outcome = call.carry_out(command).await?;
    call.doors.pending.look();
    let Decided::Node(id) = outcome.answer else {
        return Err(Refused::fault(&"no node in the answer").into());
    };
    one(id, &outcome)
}

fn visit(call: &Call, code: &str) -> Option<Arc<Visit>> {
    call.doors.pending.visits.find(&Code::parse(code)?)
}

async fn confirm(call: &Call, visit: &Visit, allowed: bool) -> Answer<()> {
    let (from, to, user) = (visit.from, visit.to, visit.user.clone());
    call.carry_out(Command::ConfirmLogin { from, to, user, allowed }).await?;
    call.doors.pending.visits.decide(visit, allowed);
    Ok(())
}
