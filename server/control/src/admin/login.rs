//! Devices that wait to be let in.

use api::{
    Changed,
    login::{APPROVE, Approve, DENY, Denied, LIST, Login, Logins},
    node::One,
};
use world::{Answer, Command, NewOwner, World};

use super::{Routes, call::Call, node, refused::Refused, serve};
use crate::{doors::Doors, pending};

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(routes, &LIST, list);
    let routes = serve(routes, &APPROVE, approve);
    serve(routes, &DENY, deny)
}

async fn list(call: Call, (): ()) -> Result<Logins, Refused> {
    let logins = call.doors.pending.waiting();
    Ok(Logins { logins: logins.iter().map(|login| view(&call.doors, &call.world, login)).collect() })
}

async fn approve(call: Call, input: Approve) -> Result<Changed<One>, Refused> {
    let owner = match (input.user, input.role) {
        (Some(user), None) => NewOwner::User(call.user(&user)?.id),
        (None, Some(role)) => NewOwner::Role(role),
        (None, None) => NewOwner::Same,
        (Some(_), Some(_)) => {
            return Err(Refused::bad_request("a device is a person's or a role's, not both"));
        }
    };
    let command = call.doors.pending.approval(&call.name, owner)?;
    let outcome = call.carry_out(command).await?;
    call.doors.pending.look();
    let Answer::Node(id) = outcome.answer else { return Err(Refused::fault(&"no node in the answer")) };
    node::changed(&call, id, outcome)
}

async fn deny(call: Call, (): ()) -> Result<Changed<Denied>, Refused> {
    let login = call.doors.pending.login(&call.name)?;
    let outcome = call.carry_out(Command::DenyLogin { login: login.registration() }).await?;
    if !call.is_check() {
        call.doors.pending.deny(&login.code);
    }
    Ok(call.answer(outcome.changed, Denied { login: view(&call.doors, &call.world, &login) }))
}

fn view(doors: &Doors, world: &World, login: &pending::Login) -> Login {
    let host = &login.hostinfo;
    let before = login.old_node_key.and_then(|key| world.nodes.by_node_key(&key));
    Login {
        code: login.code.to_string(),
        url: doors.login_url(&login.code),
        hostname: host.hostname.clone(),
        os: format!("{} {}", host.os, host.os_version).trim().to_owned(),
        client_version: host.ipn_version.clone(),
        machine_key: login.machine,
        node_key: login.node_key,
        source: login.source,
        requested_tags: host.request_tags.clone(),
        ephemeral: login.ephemeral,
        was: before.filter(|node| node.machine == login.machine).map(|node| node.name.clone()),
        asked: login.asked,
        expires: login.expires,
    }
}
