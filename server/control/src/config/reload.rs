//! What another configuration would change in a running server. Pure.

use super::{Config, Mistake, RelayConfig};

/// Keys that have other values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// What a running server can take up.
    pub applied: Vec<&'static str>,
    /// What only a start can: listeners, keys, and names and addresses that clients hold.
    pub fixed: Vec<&'static str>,
}

/// Why the configuration in force stays as it is, all of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotReloaded {
    /// It cannot be read or is wrong.
    #[error("the configuration has mistakes")]
    Mistakes(Vec<Mistake>),
    /// These need a start.
    #[error("a running server cannot change {}", .0.join(", "))]
    Fixed(Vec<&'static str>),
    /// It names files or places that cannot be used.
    #[error("what the configuration names cannot be used")]
    Unusable(Vec<String>),
    /// Ours.
    #[error("{0}")]
    Failed(String),
}

impl Config {
    /// From this one to the next.
    pub fn difference(&self, next: &Config) -> Difference {
        let Config {
            server_url,
            listen,
            tls,
            acme,
            proxies,
            data_dir,
            socket,
            admin_in_clear,
            cors_origins,
            monitor,
            relay,
            derp_maps,
            records_file,
            file: _,
            settings,
        } = self;
        let mut found = Difference::default();
        let fixed = [
            ("listen", *listen != next.listen),
            ("tls", tls.is_some() != next.tls.is_some()),
            ("acme", *acme != next.acme),
            ("data_dir", *data_dir != next.data_dir),
            ("socket", *socket != next.socket),
            ("admin.listen", *monitor != next.monitor),
            ("domain", settings.domain != next.settings.domain),
        ];
        found.fixed.extend(differing(fixed));
        let both = tls.as_ref().zip(next.tls.as_ref());
        let applied = [
            ("server_url", *server_url != next.server_url),
            ("tls.cert_file", both.is_some_and(|(a, b)| a.cert_file != b.cert_file)),
            ("tls.key_file", both.is_some_and(|(a, b)| a.key_file != b.key_file)),
            ("proxies.addresses", proxies.addresses != next.proxies.addresses),
            ("proxies.header", proxies.header != next.proxies.header),
            ("admin.plain_http", *admin_in_clear != next.admin_in_clear),
            ("admin.cors_origins", *cors_origins != next.cors_origins),
            ("derp_maps", *derp_maps != next.derp_maps),
            ("keys.allow_untagged", settings.allow_untagged != next.settings.allow_untagged),
            ("dns", settings.dns != next.settings.dns),
            ("dns.records_file", *records_file != next.records_file),
            ("leaving_grace", settings.leaving_grace != next.settings.leaving_grace),
            ("key_expiry", settings.key_expiry != next.settings.key_expiry),
            ("ephemeral_grace", settings.ephemeral_grace != next.settings.ephemeral_grace),
        ];
        found.applied.extend(differing(applied));
        match (relay, &next.relay) {
            (Some(before), Some(after)) => found.relay(before, after, self.has_tls()),
            (before, after) => {
                found.fixed.extend((before.is_some() != after.is_some()).then_some("relay.enabled"))
            }
        }
        found
    }
}

impl Difference {
    fn relay(&mut self, before: &RelayConfig, after: &RelayConfig, tls: bool) {
        let RelayConfig { listen, port: _, stun, host, region_id, region_code, region_name } = before;
        // The certificate that the relay made for itself names its host.
        let pinned = listen.is_some() && !tls;
        let other_host = *host != after.host;
        self.fixed.extend(differing([
            ("relay.listen", *listen != after.listen),
            ("relay.stun", *stun != after.stun),
            ("relay.host", other_host && pinned),
        ]));
        self.applied.extend(differing([
            ("relay.host", other_host && !pinned),
            ("relay.region_id", *region_id != after.region_id),
            ("relay.region_code", *region_code != after.region_code),
            ("relay.region_name", *region_name != after.region_name),
        ]));
    }
}

fn differing(keys: impl IntoIterator<Item = (&'static str, bool)>) -> impl Iterator<Item = &'static str> {
    keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{File, Flags, resolve};

    fn config(text: &str) -> Config {
        resolve(&File::parse(Path::new("c"), text).unwrap(), &Flags::default()).unwrap()
    }

    fn difference(old: &str, new: &str) -> (String, String) {
        let found = config(old).difference(&config(new));
        (found.applied.join(" "), found.fixed.join(" "))
    }

    #[test]
    fn every_key_is_either_taken_up_or_named() {
        let tls = "server_url: https://a.example\nlisten: '[::]:443'\ntls: {cert_file: a, key_file: b}\n";
        for (old, new, applied, fixed) in [
            ("", "", "", ""),
            ("", "listen: 127.0.0.1:9000", "server_url", "listen"),
            ("", "data_dir: elsewhere", "", "data_dir socket"),
            ("", "domain: net.example", "", "domain"),
            ("", "leaving_grace: 1m\nephemeral_grace: 1h", "leaving_grace ephemeral_grace", ""),
            ("", "dns: {magic: false, records_file: x}", "dns dns.records_file", ""),
            ("", "derp_maps: [a.yaml]", "derp_maps", ""),
            ("", "keys: {allow_untagged: true}", "keys.allow_untagged", ""),
            (
                "",
                "proxies: {addresses: [10.0.0.1], header: forwarded}",
                "proxies.addresses proxies.header",
                "",
            ),
            ("", "admin: {plain_http: true}", "admin.plain_http", ""),
            ("", "relay: {enabled: false}", "", "relay.enabled"),
            ("", "relay: {host: r.example, region_id: 901}", "relay.region_id", "relay.host"),
            ("", "relay: {listen: '127.0.0.1:1', stun: off}", "", "relay.listen relay.stun"),
            (
                tls,
                "server_url: https://a.example\nlisten: '[::]:443'\ntls: {cert_file: c, key_file: d}\n",
                "tls.cert_file tls.key_file",
                "",
            ),
            (
                tls,
                &format!("{tls}relay: {{host: r.example, region_name: x}}"),
                "relay.host relay.region_name",
                "",
            ),
        ] {
            assert_eq!(difference(old, new), (applied.to_owned(), fixed.to_owned()), "{old:?} to {new:?}");
        }
    }
}
