//! One look at everything: the checks of the agent, in the order of a report.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use api::agent::Check;
use jiff::Timestamp;
use readiness::{
    Verdict,
    check::{
        agent::{self, MeshDns},
        files, relay,
        server::{self, Clock},
    },
};
use tokio::{net::lookup_host, time::timeout};

use super::{
    config::Config,
    local::{Local, Prefs, Status},
    told,
};
use crate::{
    check::look as look_at,
    probe::{self, PATIENCE, tls::Trust},
};

/// The resolver that every client runs for its machine.
const RESOLVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(100, 100, 100, 100)), 53);

/// What was seen.
pub struct Look {
    /// The client's own word; why there is none.
    pub status: Result<Status, String>,
    /// The URL of its server.
    pub url: Result<String, String>,
    /// Every check.
    pub checks: Vec<Check>,
}

/// Looks at everything.
pub async fn look(config: &Config, local: &Local, trust: &Trust) -> Look {
    let (status, prefs) = (local.status().await, local.prefs().await);
    let url = prefs.as_ref().map(|prefs| prefs.url().to_owned()).map_err(Clone::clone);
    let mut checks = Vec::new();
    let mut add = |id: &str, verdict: Verdict| checks.push(check(id, &verdict));
    let client = status.as_ref().map(Status::plain);
    add("tunnel", agent::tunnel(client.as_ref().map_err(|why| why.as_str())));
    let unseen = |why: &String| Verdict::unknown(format!("the client does not answer: {why}"));
    add(
        "dns.mesh",
        match &status {
            Ok(status) => agent::mesh_dns(&mesh_dns(status, prefs.as_ref().ok()).await),
            Err(why) => unseen(why),
        },
    );
    match url.as_ref().map(|url| (url, server_of(url))) {
        Ok((url, host)) => {
            add("dns.outside", outside(host.as_ref()).await);
            let way = probe::control::go(url, trust).await;
            add("control", readiness::check::control::handshake(&way.attempt, None, None));
            add(
                "clock",
                match way.clock.zip(way.place) {
                    Some(((before, said, after), (of, _))) => {
                        server::clock(&Clock { of, before, said, after })
                    }
                    None => Verdict::unknown("the server named no time"),
                },
            );
        }
        Err(why) => ["dns.outside", "control", "clock"].into_iter().for_each(|id| add(id, unseen(why))),
    }
    add(
        "key",
        match &status {
            Ok(Status { own: Some(own), .. }) => agent::key(own.key_expiry, Timestamp::now()),
            Ok(_) => Verdict::unknown("the client names no node of its own"),
            Err(why) => unseen(why),
        },
    );
    add("relay", home_relay(local, status.as_ref(), trust).await);
    if !config.files.is_empty() {
        add("files", declared(config));
    }
    Look { status, url, checks }
}

fn check(id: &str, verdict: &Verdict) -> Check {
    let fix = verdict.worst().and_then(|finding| finding.fix.clone());
    Check { id: id.to_owned(), state: told(verdict.state()), detail: verdict.summary(), fix }
}

async fn mesh_dns(status: &Status, prefs: Option<&Prefs>) -> MeshDns {
    let client = status.plain();
    if prefs.is_some_and(|prefs| !prefs.takes_names) {
        return MeshDns::NotTaken;
    }
    if !status.has_names() {
        return MeshDns::Off;
    }
    if !client.interface {
        return MeshDns::NoInterface;
    }
    let name = status.full_name().to_owned();
    let answer = probe::dns::addresses_of(RESOLVER, &name).await;
    let answer = answer.map(|all| all.iter().map(ToString::to_string).collect());
    MeshDns::Asked { name, expected: client.addresses, answer }
}

/// The server's name and port; nothing when it is an address.
fn server_of(url: &str) -> Option<(String, u16)> {
    let url: reqwest::Url = url.parse().ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    host.parse::<IpAddr>().is_err().then(|| (host, url.port_or_known_default().unwrap_or(443)))
}

async fn outside(server: Option<&(String, u16)>) -> Verdict {
    let Some((host, port)) = server else { return agent::outside_dns(None, Ok(&[])) };
    let found = match timeout(PATIENCE, lookup_host((host.as_str(), *port))).await {
        Ok(Ok(all)) => Ok(all.map(|at| at.ip().to_string()).collect::<Vec<_>>()),
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err(format!("nothing within {} s", PATIENCE.as_secs())),
    };
    agent::outside_dns(Some(host), found.as_deref().map_err(String::as_str))
}

/// The relay that peers would use to reach this machine.
async fn home_relay(local: &Local, status: Result<&Status, &String>, trust: &Trust) -> Verdict {
    let code = match status {
        Ok(Status { own: Some(own), .. }) if !own.relay.is_empty() => own.relay.clone(),
        Ok(_) => {
            return Verdict::fail("the client has found no relay that it can use").fix("tailscale netcheck");
        }
        Err(why) => return Verdict::unknown(format!("the client does not answer: {why}")),
    };
    let places = match local.relays().await {
        Ok(relays) => relays.of(&code),
        Err(why) => return Verdict::unknown(format!("the client does not name its relays: {why}")),
    };
    let mut answers = Vec::new();
    for (host, port) in places {
        answers.push((format!("{host}:{port}"), probe::derp::ask(&host, port, trust).await.0));
    }
    if answers.is_empty() {
        return Verdict::unknown(format!("the client's relay {code} is not among those that it was told"));
    }
    relay::derp(&answers)
}

fn declared(config: &Config) -> Verdict {
    let seen: Vec<_> = config.files.iter().filter_map(|f| Some(look_at(&f.path, f.kind().ok()?))).collect();
    files::non_empty(&seen, Verdict::default(), Timestamp::now())
}
