//! `GET /machine/ssh/action/SRC/to/DST`: a node asks whether a login may go on that a rule of SSH wants checked. It is told
//! a page, asks again, and is held until a person has answered there.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use ident::NodeId;
use serde::Deserialize;
use wire::SshAction;
use world::Lifecycle;

use super::{Machines, Refused};
use crate::{
    pending::{Code, plain},
    ts2021::Caller,
};

const DENIED: &str = "This login was not confirmed.\n";
const TOO_MANY: &str = "Too many logins wait to be confirmed. Try again in some minutes.\n";
const UNKNOWN: &str = "No rule of the policy lets this login through, not even when it is confirmed.\n";

/// First the user is named; then the answer is waited for.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    local_user: String,
    wait: Option<String>,
}

/// The one who asks must be the node that is logged in to.
pub(super) async fn action(
    State(machines): State<Arc<Machines>>,
    Extension(caller): Extension<Caller>,
    Path((src, dst)): Path<(u64, u64)>,
    Query(asked): Query<Asked>,
) -> Result<Json<SshAction>, Refused> {
    let Machines { doors, pace, .. } = &*machines;
    pace.call(doors, caller).await?;
    let world = doors.hub.world();
    let node = |id| NodeId::new(id).ok().and_then(|id| world.nodes.get(id)).cloned();
    let asking =
        node(dst).filter(|node| node.machine == caller.machine && node.lifecycle == Lifecycle::Active);
    let Some((to, from)) = asking.zip(node(src)) else {
        doors.failed(caller.remote.ip(), "not_your_node");
        return Err(Refused::not_yours());
    };
    let Some(period) = world.confirmed_for(&from, &to) else {
        return Ok(Json(SshAction::reject(UNKNOWN)));
    };
    let visits = &doors.pending.visits;
    if let Some(code) = asked.wait {
        // Meanwhile the World goes on; what it says now is of no interest then.
        drop(world);
        let code = Code::parse(&code).ok_or_else(Refused::not_yours)?;
        let confirmed = visits.answer(&code, from.id, to.id).await;
        let still = || {
            let world = doors.hub.world();
            let now = |id| world.nodes.get(id);
            now(from.id).zip(now(to.id)).is_some_and(|(from, to)| world.confirms_logins(from, to))
        };
        let through = confirmed && still();
        return Ok(Json(if through { SshAction::accept() } else { SshAction::reject(DENIED) }));
    }
    if visits.is_confirmed(&(from.id, from.node_key, to.id, plain(&asked.local_user)), period) {
        return Ok(Json(SshAction::accept()));
    }
    let Some(visit) = visits.begin((from.id, from.node_key), to.id, &asked.local_user) else {
        return Ok(Json(SshAction::reject(TOO_MANY)));
    };
    let next = format!("https://unused/machine/ssh/action/{}/to/{}?wait={}", from.id, to.id, visit.code);
    let message = format!("This login must be confirmed. Open\n{}\n", doors.visit_url(&visit.code));
    Ok(Json(SshAction { message, ..SshAction::ask(&next) }))
}
