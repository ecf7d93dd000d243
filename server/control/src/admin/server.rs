//! The server itself.

use api::server::{Counts, Relay, RelayTraffic, STATUS, Status};
use noise::PrivateKey;

use super::{Routes, call::Call, key::unusable, policy, refused::Refused, serve};
use crate::store::Store;

pub(super) fn add(routes: Routes) -> Routes {
    serve(routes, &STATUS, status)
}

async fn status(call: Call, (): ()) -> Result<Status, Refused> {
    let events = call.history(Store::head_seq).await?;
    let key = PrivateKey::new(*call.doors.keyring.noise.expose()).map_err(|e| Refused::fault(&e))?;
    let (config, world) = (&call.doors.config, &call.world);
    let counts = Counts {
        nodes: world.nodes.len() as u64,
        online: world.nodes.iter().filter(|n| n.online()).count() as u64,
        users: world.users.len() as u64,
        roles: world.roles.len() as u64,
        keys: world.auth_keys.values().filter(|k| unusable(k).is_none()).count() as u64,
        events,
    };
    let relay = config.relay.as_ref().map(|r| Relay {
        region: r.region_id,
        host: r.host.clone(),
        derp_port: r.port,
        stun_port: r.stun.map(|a| a.port()),
        connected: call.doors.relay.as_ref().map_or(0, |r| r.connections() as u64),
        traffic: traffic(&call),
    });
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        server_url: config.server_url.clone(),
        public_key: key.public_key(),
        domain: world.settings.domain.clone(),
        started: call.doors.started,
        store: "sqlite".to_owned(),
        counts,
        policy_set: policy::updated(&call).await?.is_some(),
        relay,
    })
}

fn traffic(call: &Call) -> RelayTraffic {
    let so_far = call.doors.relay.as_ref().map(|r| r.traffic()).unwrap_or_default();
    RelayTraffic {
        packets: so_far.packets,
        bytes: so_far.bytes,
        dropped_queue_full: so_far.queue_full,
        dropped_not_here: so_far.not_here,
        dropped_left: so_far.left,
    }
}
