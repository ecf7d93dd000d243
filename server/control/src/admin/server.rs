//! The server itself.

mod key;

use std::time::Duration;

use api::{
    Changed,
    server::{
        Acknowledged, Counts, NOTICE, Notice, RELOAD, Relay, RelayTraffic, Reloaded, SET_NOTICE, STATUS,
        SetAside, SetNotice, Status,
    },
};
use world::{Command, dns_dangers};

use super::{Routes, call::Call, key::unusable, policy, refused::Refused, serve};
use crate::{
    bootstrap::names,
    certificate::Certificate,
    store::{AsideRow, Store},
};

/// How long devices are waited for that are to take a notice up.
const TAKEN_UP_EVERY: Duration = Duration::from_millis(50);
const TAKEN_UP_LOOKS: u32 = 40;

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve(serve(routes, &STATUS, status), &RELOAD, reload);
    key::add(serve(serve(routes, &NOTICE, notice), &SET_NOTICE, set_notice))
}

async fn notice(call: Call, (): ()) -> Result<Notice, Refused> {
    Ok(told(&call))
}

async fn set_notice(call: Call, input: SetNotice) -> Result<Changed<Notice>, Refused> {
    let before = told(&call);
    if before.text == input.text {
        return Ok(call.answer(false, before));
    }
    call.carry_out(Command::NoteNotice { text: input.text.clone() }).await?;
    if call.is_check() {
        return Ok(call.answer(true, Notice { text: input.text, ..Notice::default() }));
    }
    call.doors.hub.set_notice(input.text);
    for _ in 0..TAKEN_UP_LOOKS {
        tokio::time::sleep(TAKEN_UP_EVERY).await;
        if call.doors.hub.notice().1.len() >= call.doors.hub.streams() {
            break;
        }
    }
    Ok(call.answer(true, told(&call)))
}

/// Who was told what, as it is now.
fn told(call: &Call) -> Notice {
    let (text, took) = call.doors.hub.notice();
    let world = call.doors.hub.world();
    let names = |told: bool| {
        let nodes = world.nodes.iter().filter(|node| took.contains(&node.id) == told);
        nodes.map(|node| node.name.clone()).collect()
    };
    match text {
        Some(_) => {
            let (told, not_told) = (names(true), names(false));
            let mut notice = Notice { text, told, not_told, ..Notice::default() };
            for node in world.nodes.iter() {
                let Some(seen) = call.doors.reports.of(node.id) else { continue };
                let name = node.name.clone();
                match seen.acknowledged {
                    Some(at) => notice.acknowledged.push(Acknowledged { node: name, at }),
                    None if node.online() && !seen.missed => notice.awaited.push(name),
                    None => {}
                }
            }
            notice
        }
        None => Notice::default(),
    }
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
    let keys = call.doors.keyring.noise.accepting();
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
        certificate: pinned(&call, r.region_id),
        connected: call.doors.relay.as_ref().map_or(0, |r| r.connections() as u64),
        traffic: traffic(&call),
    });
    let mut warnings = call.doors.verdict.warnings(&call.world).await;
    warnings.extend(call.doors.records.trouble());
    warnings.extend(key::warning(&call));
    warnings.extend(call.doors.certificate.iter().flat_map(Certificate::warnings));
    let bootstrap = names(&config, &call.world, &call.doors.hub.site());
    warnings.extend(dns_dangers(&call.world, &call.world.dns, &bootstrap));
    let policy_set = policy::updated(&call).await?.is_some();
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        server_url: config.server_url.clone(),
        public_key: keys.current.public(),
        previous_key: keys.previous.as_ref().map(|(key, _)| key.public()),
        database: call.history(Store::identity).await?,
        domain: world.settings.domain.clone(),
        started: call.doors.started,
        store: "sqlite".to_owned(),
        monitor: call.doors.monitor,
        counts,
        allow_untagged_keys: world.settings.allow_untagged,
        policy_set,
        warnings,
        relay,
        policy_unreadable: policy_text.map_or(policy_set, |text| !in_force(&call, &text)),
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

/// The certificate that clients are told to expect of this region.
fn pinned(call: &Call, region: u16) -> Option<String> {
    let site = call.doors.hub.site();
    let nodes = &site.derp_map.regions.get(&region.into())?.nodes;
    nodes.iter().map(|node| node.cert_name.clone()).find(|name| !name.is_empty())
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
