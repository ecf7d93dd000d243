//! The server itself.

use api::{
    Changed,
    server::{Counts, RELOAD, Relay, RelayTraffic, Reloaded, STATUS, SetAside, Status},
};
use noise::PrivateKey;
use world::dns_dangers;

use super::{Routes, call::Call, key::unusable, policy, refused::Refused, serve};
use crate::{
    bootstrap::names,
    certificate::Certificate,
    store::{AsideRow, Store},
};

pub(super) fn add(routes: Routes) -> Routes {
    serve(serve(routes, &STATUS, status), &RELOAD, reload)
}

async fn reload(call: Call, (): ()) -> Result<Changed<Reloaded>, Refused> {
    if !call.is_welcome() {
        return Err(Refused::unauthorized());
    }
    let applied = call.doors.reload(call.is_check()).await?;
    Ok(call.answer(!applied.is_empty(), Reloaded { applied }))
}

async fn status(call: Call, (): ()) -> Result<Status, Refused> {
    let events = call.history(Store::head_seq).await?;
    let (aside, set_aside_total) = call.history(|store| store.set_aside(SetAside::MOST)).await?;
    let policy_text = call.history(Store::policy_text).await?;
    let key = PrivateKey::new(*call.doors.keyring.noise.expose()).map_err(|e| Refused::fault(&e))?;
    let (config, world) = (call.doors.config(), &call.world);
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
    let mut warnings = call.doors.verdict.warnings(&call.world).await;
    warnings.extend(call.doors.records.trouble());
    warnings.extend(call.doors.certificate.iter().flat_map(Certificate::warnings));
    let bootstrap = names(&config, &call.world, &call.doors.hub.site());
    warnings.extend(dns_dangers(&call.world, &call.world.dns, &bootstrap));
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        server_url: config.server_url.clone(),
        public_key: key.public_key(),
        domain: world.settings.domain.clone(),
        started: call.doors.started,
        store: "sqlite".to_owned(),
        monitor: call.doors.monitor,
        counts,
        allow_untagged_keys: world.settings.allow_untagged,
        policy_set: policy::updated(&call).await?.is_some(),
        warnings,
        relay,
        policy_unreadable: policy_text.is_some_and(|text| !in_force(&call, &text)),
        set_aside: aside.into_iter().map(set_aside).collect::<Result<_, _>>()?,
        set_aside_total,
    })
}

/// Whether the text is what the World goes by, or could be.
fn in_force(call: &Call, text: &str) -> bool {
    text == call.doors.hub.world().policy.policy.text() || ::policy::Policy::parse(text).is_ok()
}

fn set_aside(row: AsideRow) -> Result<SetAside, Refused> {
    let noun = match row.table.as_str() {
        "person" => "user",
        "auth_key" => "key",
        "api_key" => "apikey",
        other => other,
    };
    Ok(SetAside {
        id: row.id,
        found: row.found.parse().map_err(|e| Refused::fault(&e))?,
        noun: noun.to_owned(),
        name: wire::plain(&row.name.unwrap_or_default()),
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
