//! Devices without a key: they are told a page, and their next request is held until somebody has let them in.

use ident::NodeKey;
use wire::RegisterResponse;
use world::Registration;

use super::register::accepted;
use crate::{
    doors::Doors,
    pending::{Code, NotTaken, Waiting},
    ts2021::Caller,
};

/// The login that a request says it follows up. One of another machine or key is none: the caller gets its own.
pub(super) fn waiting(doors: &Doors, caller: Caller, key: NodeKey, followup: &str) -> Option<Waiting> {
    let code = Code::parse(followup)?;
    let waiting = doors.pending.wait(&code, caller.machine, key);
    if waiting.is_none() && doors.pending.find(&code).is_some() {
        doors.failed(caller.remote.ip(), "login_of_another");
    }
    waiting
}

/// Waits with the device. When its time is over, it gets another page.
pub(super) async fn held(doors: &Doors, caller: Caller, waiting: Waiting) -> RegisterResponse {
    waiting.over().await;
    let login = waiting.login;
    let world = doors.hub.world();
    let node = world.nodes.by_node_key(&login.node_key).filter(|node| node.machine == caller.machine);
    match node {
        Some(node) if node.accepted() => {
            doors.metrics.registered("active");
            accepted(&world, node)
        }
        _ => begun(doors, caller, &login.registration()).await,
    }
}

/// Sends the device to a page. Not until it is certain that a restart does not forget it.
pub(super) async fn begun(doors: &Doors, caller: Caller, registration: &Registration) -> RegisterResponse {
    match doors.pending.begin(registration, caller.remote).await {
        Ok(login) => {
            doors.metrics.registered("waits");
            RegisterResponse::visit(&doors.login_url(&login.code))
        }
        Err(why @ NotTaken::Denied) => {
            doors.metrics.registered("denied");
            RegisterResponse::error(&why.to_string())
        }
        Err(why) => {
            doors.failed(caller.remote.ip(), "login_not_taken");
            RegisterResponse::error(&why.to_string())
        }
    }
}
