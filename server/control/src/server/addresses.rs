//! Where clients find this server, as far as names tell: no node may take that over.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use http::Uri;

use crate::config::Config;

/// A start does not wait longer for a resolver.
const WITHIN: Duration = Duration::from_secs(2);

/// Those of the names in `server_url` and `relay.host` at this moment.
pub(super) async fn found(config: &Config) -> BTreeSet<IpAddr> {
    let url: Uri = config.server_url.parse().unwrap_or_default();
    let hosts = [url.host(), config.relay.as_ref().map(|relay| relay.host.as_str())];
    let names: BTreeSet<&str> = hosts.into_iter().flatten().filter(|host| is_name(host)).collect();
    futures_util::future::join_all(names.into_iter().map(of)).await.into_iter().flatten().collect()
}

fn is_name(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_err()
}

async fn of(name: &str) -> Vec<IpAddr> {
    match tokio::time::timeout(WITHIN, tokio::net::lookup_host((name, 0))).await {
        Ok(Ok(found)) => found.map(|address| address.ip().to_canonical()).collect(),
        Ok(Err(e)) => unknown(name, &e.to_string()),
        Err(_) => unknown(name, "the resolver takes too long"),
    }
}

fn unknown(name: &str, why: &str) -> Vec<IpAddr> {
    tracing::warn!(name, why, "its addresses are not known, so nothing keeps a node from routing them");
    Vec::new()
}
