//! File and flags to a [`Config`]; flags win. All mistakes are returned at once.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use http::Uri;
use world::Settings;

use super::{
    Config, DerpMapSource, File, Mistake, MonitorConfig, Proxies, RelayConfig, RelayFile, TlsFiles, acme,
    dns, parse_duration, proxies,
};

/// What the command line may say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// The file that `file` came from, for messages.
    pub config_path: Option<PathBuf>,
    /// Overrides `server_url`.
    pub server_url: Option<String>,
    /// Overrides `listen`.
    pub listen: Option<String>,
    /// Overrides `data_dir`.
    pub data_dir: Option<PathBuf>,
}

/// Checks everything, looks at no file but the names.
pub fn resolve(file: &File, flags: &Flags) -> Result<Config, Vec<Mistake>> {
    let place = flags.config_path.as_deref().map_or("flags".into(), |p: &Path| p.display().to_string());
    let mut check = Check::of(place);
    let listen = flags.listen.as_ref().or(file.listen.as_ref()).map_or("127.0.0.1:8080", String::as_str);
    let listen = check.address("listen", listen);
    let tls = check.tls(file);
    let url = flags.server_url.as_ref().or(file.server_url.as_ref());
    let has_tls = tls.is_some() || file.acme.is_some();
    let scheme = if has_tls { "https" } else { "http" };
    let url = url.cloned().unwrap_or_else(|| format!("{scheme}://{listen}"));
    let (server_url, host, url_port) = check.url(&url);
    let is_https = server_url.starts_with("https://");
    let proxies = check.proxies(file, &server_url, listen, has_tls);
    let mut acme =
        acme::acme(file, (is_https, &host), &mut |key, message, hint| check.mistake(key, message, hint));
    let data_dir =
        flags.data_dir.clone().or_else(|| file.data_dir.clone()).unwrap_or_else(|| "mesh-data".into());
    let relay_file = file.relay.clone().unwrap_or_default();
    let domain = file.domain.as_deref().unwrap_or("mesh.internal");
    let domain = check.domain(domain, &host, relay_file.host.as_deref());
    let relay = check.relay(&relay_file, listen, has_tls, (is_https, &host, url_port));
    if let (Some(acme), Some(relay)) = (&mut acme, &relay) {
        let is_another =
            relay.listen.is_none() && relay.host != host && relay.host.parse::<IpAddr>().is_err();
        acme.names.extend(is_another.then(|| relay.host.clone()));
    }
    let monitor = check.monitor(file.admin.as_ref().and_then(|admin| admin.listen.as_deref()), listen);
    let mut settings = Settings {
        domain,
        leaving_grace: check.duration("leaving_grace", file.leaving_grace.as_deref(), 10),
        ephemeral_grace: check.duration("ephemeral_grace", file.ephemeral_grace.as_deref(), 1800),
        key_expiry: check.key_expiry(file.key_expiry.as_deref()),
        own_addresses: own_addresses(listen, &host, relay.as_ref()),
        allow_untagged: file.keys.as_ref().is_some_and(|keys| keys.allow_untagged == Some(true)),
        dns: Default::default(),
    };
    let cors_origins = check.origins(file.admin.as_ref().map_or(&[], |admin| &admin.cors_origins));
    if !check.mistakes.is_empty() {
        return Err(check.mistakes);
    }
    let dns =
        dns::start_values(file.dns.as_ref(), &settings, [&host, relay.as_ref().map_or(&host, |r| &r.host)]);
    settings.dns = dns.map_err(|refusal| {
        let hint = refusal.hint();
        vec![Mistake { place: check.place, key: "dns".into(), message: refusal.to_string(), hint }]
    })?;
    Ok(Config {
        server_url,
        listen,
        tls,
        acme,
        proxies,
        cors_origins,
        admin_in_clear: file.admin.as_ref().is_some_and(|admin| admin.plain_http == Some(true)),
        socket: file.socket.clone().unwrap_or_else(|| data_dir.join("control.sock")),
        data_dir,
        monitor,
        relay,
        derp_maps: file.derp_maps.iter().map(|s| derp_map(s)).collect(),
        records_file: file.dns.as_ref().and_then(|dns| dns.records_file.clone()),
        file: flags.config_path.clone(),
        settings,
    })
}

/// Those that the configuration names; of names, only a start finds out.
fn own_addresses(listen: SocketAddr, host: &str, relay: Option<&RelayConfig>) -> BTreeSet<IpAddr> {
    let literal = |text: &str| text.trim_matches(['[', ']']).parse().ok();
    let listens = [Some(listen.ip()), relay.and_then(|relay| Some(relay.listen?.ip()))];
    let named = [literal(host), relay.and_then(|relay| literal(&relay.host))];
    let all = listens.into_iter().chain(named).flatten();
    all.map(|address: IpAddr| address.to_canonical()).filter(|address| !address.is_unspecified()).collect()
}

/// Values on their way into a configuration, and what is wrong with them.
pub struct Check {
    place: String,
    /// So far.
    pub mistakes: Vec<Mistake>,
}

impl Check {
    /// Of the file called so, or of flags.
    pub fn of(place: String) -> Self {
        Self { place, mistakes: Vec::new() }
    }

    /// One mistake more.
    pub fn mistake(&mut self, key: &str, message: impl Into<String>, hint: &str) {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        self.mistakes.push(Mistake {
            place: self.place.clone(),
            key: key.into(),
            message: message.into(),
            hint,
        });
    }

    /// `ADDRESS:PORT`.
    pub fn address(&mut self, key: &str, text: &str) -> SocketAddr {
        text.parse().unwrap_or_else(|_| {
            self.mistake(
                key,
                format!("{text:?} is no address with a port"),
                "for example 127.0.0.1:8080 or [::]:443",
            );
            SocketAddr::from(([127, 0, 0, 1], 0))
        })
    }

    /// A span of at most a year.
    pub fn duration(&mut self, key: &str, text: Option<&str>, default_seconds: u64) -> Duration {
        let Some(text) = text else { return Duration::from_secs(default_seconds) };
        parse_duration(text).filter(|d| *d <= Duration::from_secs(366 * 86400)).unwrap_or_else(|| {
            self.mistake(key, format!("{text:?} is no duration"), "a number and s, m, h or d, at most 366d");
            Duration::ZERO
        })
    }

    fn key_expiry(&mut self, text: Option<&str>) -> Option<Duration> {
        if text == Some("never") {
            return None;
        }
        if text.and_then(parse_duration).is_some_and(|long| long.is_zero()) {
            self.mistake("key_expiry", "no device could stay in", "for example 180d, or never");
        }
        Some(self.duration("key_expiry", text, 180 * 86400))
    }

    /// Both files or none.
    pub fn tls(&mut self, file: &File) -> Option<TlsFiles> {
        let tls = file.tls.as_ref()?;
        if tls.cert_file.is_none() {
            self.mistake("tls.cert_file", "is missing", "PEM chain, leaf first");
        }
        if tls.key_file.is_none() {
            self.mistake("tls.key_file", "is missing", "PEM key of the leaf");
        }
        Some(TlsFiles { cert_file: tls.cert_file.clone()?, key_file: tls.key_file.clone()? })
    }

    fn proxies(&mut self, file: &File, url: &str, listen: SocketAddr, tls: bool) -> Proxies {
        let written = file.proxies.clone().unwrap_or_default();
        let found = proxies::proxies(&written, &mut |key, message, hint| self.mistake(key, message, hint));
        let in_the_open = !tls && file.tls.is_none() && !listen.ip().to_canonical().is_loopback();
        if url.starts_with("https://") && in_the_open && written.addresses.is_empty() {
            self.mistake(
                "tls",
                format!("server_url says https, but {listen} would be plain HTTP that others can reach"),
                "set tls.cert_file and tls.key_file; or listen on loopback behind a proxy; or name the proxies in proxies.addresses",
            );
        }
        found
    }

    /// The URL without a trailing slash, its host, and its port.
    fn url(&mut self, text: &str) -> (String, String, u16) {
        let bad = |check: &mut Self, why: &str| {
            check.mistake("server_url", format!("{text:?} {why}"), "for example https://mesh.example.com");
            (String::new(), String::new(), 0)
        };
        let Ok(uri) = text.parse::<Uri>() else { return bad(self, "is no URL") };
        let port = match uri.scheme_str() {
            Some("https") => uri.port_u16().unwrap_or(443),
            Some("http") => uri.port_u16().unwrap_or(80),
            _ => return bad(self, "is neither http nor https"),
        };
        let Some(host) = uri.host() else { return bad(self, "has no host") };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return bad(self, "has a path, and clients add their own");
        }
        if text.contains(['#', '@']) {
            return bad(self, "has more than scheme, host and port");
        }
        let host = plain_host(host);
        (text.trim_end_matches('/').to_owned(), host, port)
    }

    /// Origins as browsers name them.
    fn origins(&mut self, texts: &[String]) -> Vec<String> {
        for text in texts {
            let uri = text.parse::<Uri>().ok();
            let plain = |uri: &Uri| {
                let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"));
                let authority = uri.authority().filter(|a| !a.as_str().contains('@'));
                let origin =
                    scheme.zip(authority).map(|(scheme, authority)| format!("{scheme}://{authority}"));
                origin.is_some_and(|origin| origin == text.to_ascii_lowercase())
            };
            if !uri.as_ref().is_some_and(plain) {
                let hint = "scheme, host and port of one site, for example https://ui.example.com";
                self.mistake("admin.cors_origins", format!("{text:?} is no origin"), hint);
            }
        }
        texts.iter().map(|text| text.to_ascii_lowercase()).collect()
    }

    fn monitor(&mut self, text: Option<&str>, main: SocketAddr) -> Option<MonitorConfig> {
        let listen = match text {
            Some("off") => return None,
            Some(text) => self.address("admin.listen", text),
            None => SocketAddr::from(([127, 0, 0, 1], 9090)),
        };
        let chosen = text.is_some();
        if chosen && clash(listen, main) {
            let message = format!("the server itself listens on {main}");
            self.mistake("admin.listen", message, "choose another port");
        }
        (chosen || !clash(listen, main)).then_some(MonitorConfig { listen, chosen })
    }

    fn domain(&mut self, domain: &str, host: &str, relay: Option<&str>) -> String {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        let label = |l: &str| {
            let plain = l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            plain && !l.is_empty() && l.len() <= 63 && !l.starts_with('-') && !l.ends_with('-')
        };
        if !domain.contains('.') || domain.len() > 180 || !domain.split('.').all(label) {
            self.mistake(
                "domain",
                format!("{domain:?} is no domain of at least two labels"),
                "for example mesh.internal",
            );
        }
        for (whose, host) in [("the host of server_url", Some(host)), ("relay.host", relay)] {
            let host = plain_host(host.unwrap_or_default());
            if host == domain || host.ends_with(&format!(".{domain}")) {
                let why = "MagicDNS would answer for that name, and clients could not find it any more";
                let message = format!("{domain:?} contains {whose}: {why}");
                self.mistake("domain", message, "choose another domain");
            }
        }
        domain
    }

    fn relay(
        &mut self,
        f: &RelayFile,
        main: SocketAddr,
        tls: bool,
        (https, host, url_port): (bool, &str, u16),
    ) -> Option<RelayConfig> {
        if f.enabled == Some(false) {
            return None;
        }
        let own = match &f.listen {
            Some(text) => Some(self.address("relay.listen", text)),
            // A proxy with TLS passes its connections on, too.
            None if tls || https => None,
            None => Some(SocketAddr::new(main.ip(), 8443)),
        };
        if own.is_some_and(|own| clash(own, main)) {
            self.mistake(
                "relay.listen",
                format!("the server itself listens on {main}"),
                "choose another port",
            );
        }
        let stun = match f.stun.as_deref() {
            Some("off") => None,
            Some(text) => Some(self.address("relay.stun", text)),
            None => Some(SocketAddr::new(main.ip(), 3478)),
        };
        let region_id = f.region_id.unwrap_or(900);
        if !(1..=65535).contains(&region_id) {
            self.mistake("relay.region_id", "must be at least 1", "900 to 999 keep clear of other maps");
        }
        let host = f.host.clone().unwrap_or_else(|| host.to_owned());
        if host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified()) {
            self.mistake(
                "relay.host",
                "clients cannot connect to the unspecified address",
                "set server_url or relay.host",
            );
        }
        Some(RelayConfig {
            port: own.map_or(url_port, |a| a.port()),
            listen: own,
            stun,
            host,
            region_id,
            region_code: wire::plain(f.region_code.as_deref().unwrap_or("mesh")),
            region_name: wire::plain(f.region_name.as_deref().unwrap_or("Embedded relay")),
        })
    }
}

/// As names are compared.
fn plain_host(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

/// Whether one program cannot listen on both.
pub fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let same = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    same && one.port() == other.port() && one.port() != 0
}

fn derp_map(text: &str) -> DerpMapSource {
    if text.starts_with("https://") || text.starts_with("http://") {
        return DerpMapSource::Url(text.to_owned());
    }
    DerpMapSource::File(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> Vec<String> {
        let path = Path::new("config.yaml");
        let flags = Flags { config_path: Some(path.to_owned()), ..Flags::default() };
        let resolved = File::parse(path, text).and_then(|f| resolve(&f, &flags));
        resolved.unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_empty_file_is_a_server_on_loopback() {
        let config = resolve(&File::parse(Path::new("c"), "").unwrap(), &Flags::default()).unwrap();
        assert_eq!(config.server_url, "http://127.0.0.1:8080");
        let relay = config.relay.unwrap();
        assert_eq!((relay.host.as_str(), relay.port), ("127.0.0.1", 8443));
    }

    #[test]
    fn unknown_keys_are_reported_together_with_the_nearest_right_name() {
        assert_eq!(
            mistakes("server_ulr: http://a.example\nrelay:\n  sun: off\nlisten: 127.0.0.1:1\n"),
            [
                "config.yaml: server_ulr: unknown key (did you mean server_url?)",
                "config.yaml: relay.sun: unknown key (did you mean relay.stun?)"
            ]
        );
    }

    #[test]
    fn every_wrong_value_is_reported() {
        let found = mistakes(
            "server_url: ftp://x\nlisten: nowhere\ndomain: x\nleaving_grace: soon\ntls: {cert_file: a}\n",
        );
        for key in ["server_url", "listen", "domain", "leaving_grace", "tls.key_file"] {
            assert!(
                found.iter().any(|m| m.starts_with(&format!("config.yaml: {key}: "))),
                "{key} in {found:#?}"
            );
        }
    }

    #[test]
    fn the_domain_may_not_swallow_the_server() {
        let found = mistakes("server_url: https://control.mesh.example.com\ndomain: mesh.example.com\n");
        assert!(found[0].contains("contains the host of server_url"), "{found:?}");
    }
}
