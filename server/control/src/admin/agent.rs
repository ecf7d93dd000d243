//! What agents on devices say.

use api::agent::{Agent, Agents, LIST};

use super::{Routes, call::Call, refused::Refused, serve};

pub(super) fn add(routes: Routes) -> Routes {
    serve(routes, &LIST, list)
}

async fn list(call: Call, (): ()) -> Result<Agents, Refused> {
    let agent = |node: &std::sync::Arc<world::Node>| {
        let seen = call.doors.reports.of(node.id)?;
        Some(Agent { id: node.id, name: node.name.clone(), online: node.online(), seen })
    };
    Ok(Agents { agents: call.world.nodes.iter().filter_map(agent).collect() })
}
