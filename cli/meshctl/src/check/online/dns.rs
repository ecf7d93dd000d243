//! Names and nameservers.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use futures_util::future::join_all;
use readiness::{
    Verdict,
    check::{
        dns::{self, Asked, Name, Nameserver, Settings, is_public},
        text,
    },
};

use crate::{
    check::{facts::Facts, local},
    probe::{self, dns::Server, tls::Trust},
};

/// `dns.public-bootstrap`.
pub async fn public_bootstrap(facts: &Facts<'_>) -> Verdict {
    let names = bootstrap(facts).await;
    let by_name = names.iter().any(|(name, _)| name.parse::<IpAddr>().is_err());
    let servers = match &facts.inputs.resolver[..] {
        [] => probe::dns::public(),
        named => named.to_vec(),
    };
    let intercepted = match facts.inputs.no_resolver {
        Some(nowhere) if by_name => probe::dns::answers(nowhere, "example.com").await.is_ok(),
        _ => false,
    };
    let asked = names.into_iter().map(|(name, what)| {
        let servers = &servers;
        async move {
            let asked = if name.parse::<IpAddr>().is_ok() {
                Vec::new()
            } else {
                everybody(servers, &name, &facts.trust).await
            };
            Name { name, what, asked }
        }
    });
    dns::public_bootstrap(&join_all(asked).await, intercepted)
}

async fn everybody(servers: &[Server], name: &str, trust: &Trust) -> Vec<Asked> {
    let one = |server: &Server| {
        let (server, name) = (server.clone(), name.to_owned());
        async move {
            let answers = server.ask(&name, trust).await;
            let asked = |(transport, answer)| Asked { resolver: server.word(), transport, answer };
            answers.into_iter().map(asked).collect::<Vec<_>>()
        }
    };
    join_all(servers.iter().map(one)).await.into_iter().flatten().collect()
}

/// The names that clients need first: the server's, and that of its relay when it is another one.
async fn bootstrap(facts: &Facts<'_>) -> Vec<(String, String)> {
    let mut names = Vec::new();
    if let Some(host) = facts.url().await.as_deref().and_then(host) {
        names.push((host, "the control server".to_owned()));
    }
    if let Ok(status) = facts.status().await
        && let Some(relay) = &status.relay
        && names.iter().all(|(name, _)| *name != relay.host)
    {
        names.push((relay.host.trim_matches(['[', ']']).to_ascii_lowercase(), "the relay".to_owned()));
    }
    names
}

/// `dns.split-excludes-bootstrap`.
pub async fn split(facts: &Facts<'_>) -> Result<Verdict, Verdict> {
    let told = facts.dns().await?;
    Ok(dns::split_excludes_bootstrap(&Settings {
        bootstrap: bootstrap(facts).await,
        split: told.split.clone(),
        override_local: told.override_local,
        resolvers: told.resolvers.clone(),
        dangers: told.dangers.clone(),
    }))
}

/// `dns.resolver-protocol`. Texts are searched even where no server answers.
pub async fn resolver_protocol(facts: &Facts<'_>) -> Verdict {
    let mut places: BTreeSet<SocketAddr> = facts.inputs.nameserver.iter().copied().collect();
    if let Ok(told) = facts.dns().await {
        let all = told.resolvers.iter().chain(told.split.values().flatten());
        places.extend(all.filter_map(|server| place(server)));
    }
    let servers = join_all(places.iter().map(|at| nameserver(*at))).await;
    let addresses: Vec<_> = places.iter().map(SocketAddr::ip).collect();
    let texts = match local::texts(facts) {
        Ok(texts) => text::pings(&texts, &addresses),
        Err(verdict) => verdict,
    };
    dns::resolver_protocol(&servers, texts)
}

async fn nameserver(at: SocketAddr) -> Nameserver {
    let (answer, pings) =
        futures_util::future::join(probe::dns::answers(at, "example.com"), probe::ping::icmp(at.ip())).await;
    Nameserver { at: at.to_string(), answer, pings, public: is_public(at.ip()) }
}

/// An address with or without a port; URLs are asked by nobody here.
fn place(server: &str) -> Option<SocketAddr> {
    let bare = server.parse().map(|ip| SocketAddr::new(ip, 53));
    bare.or_else(|_| server.parse()).ok()
}

fn host(url: &str) -> Option<String> {
    let url: reqwest::Url = url.parse().ok()?;
    Some(url.host_str()?.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase())
}
