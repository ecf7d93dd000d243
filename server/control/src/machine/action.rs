//! `GET /machine/ssh/action/SRC/to/DST`: a node asks whether a login may go on that a rule of SSH wants checked.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use ident::NodeId;
use wire::SshAction;
use world::Lifecycle;

use super::{Machines, Refused};
use crate::ts2021::Caller;

/// Nobody can be asked yet, and what nobody has confirmed is not let in.
const UNCHECKED: &str = "This login must be confirmed by a person, and this server has no way to ask one yet. \
Ask your operator for a rule with the action accept.\n";

/// The one who asks must be the node that is logged in to.
pub(super) async fn action(
    State(machines): State<Arc<Machines>>,
    Extension(caller): Extension<Caller>,
    Path((src, dst)): Path<(u64, u64)>,
) -> Result<Json<SshAction>, Refused> {
    let Machines { doors, pace, .. } = &*machines;
    pace.call(doors, caller).await?;
    let world = doors.hub.world();
    let node = |id| NodeId::new(id).ok().and_then(|id| world.nodes.get(id)).cloned();
    let asking =
        node(dst).filter(|node| node.machine == caller.machine && node.lifecycle == Lifecycle::Active);
    let Some((asking, from)) = asking.zip(node(src)) else {
        doors.failed(caller.remote.ip(), "not_your_node");
        return Err(Refused::not_yours());
    };
    tracing::info!(from = from.name, to = asking.name, "a login that must be checked is refused");
    Ok(Json(SshAction::reject(UNCHECKED)))
}
