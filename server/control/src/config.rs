//! What the server is told: a YAML file and flags in, one resolved [`Config`] or every mistake at once out. Pure.

mod acme;
mod dns;
mod file;
mod proxies;
mod reload;
mod resolve;
mod unknown;
mod written;

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

pub use acme::AcmeConfig;
pub(crate) use acme::acme;
pub use file::{AcmeFile, AdminFile, DnsFile, File, KeysFile, ProxiesFile, RelayFile, TlsFile};
pub use proxies::{Proxies, ProxyHeader};
pub use reload::{Difference, NotReloaded};
pub(crate) use resolve::{Check, clash};
pub use resolve::{Flags, resolve};
use world::Settings;
pub(crate) use written::read;

/// Everything the server needs to know, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where clients find the server; scheme, host and port, no path.
    pub server_url: String,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Certificate and key for that listener, if they are files.
    pub tls: Option<TlsFiles>,
    /// Where a certificate comes from that is in no files.
    pub acme: Option<AcmeConfig>,
    /// Who may stand in front of it.
    pub proxies: Proxies,
    /// Where its files are.
    pub data_dir: PathBuf,
    /// The socket of the admin API.
    pub socket: PathBuf,
    /// Whether the admin API is served over plain HTTP on an address that others can reach.
    pub admin_in_clear: bool,
    /// Sites whose pages may call the admin API from a browser: scheme, host and port each.
    pub cors_origins: Vec<String>,
    /// Where metrics and health are served, if they are.
    pub monitor: Option<MonitorConfig>,
    /// The relay, if it is on.
    pub relay: Option<RelayConfig>,
    /// Further DERP maps: files or URLs.
    pub derp_maps: Vec<DerpMapSource>,
    /// A file of extra names that is watched.
    pub records_file: Option<PathBuf>,
    /// The file that it was read from.
    pub file: Option<PathBuf>,
    /// What the World takes from the configuration.
    pub settings: Settings,
}

impl Config {
    /// Whether the main listener has TLS.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some() || self.acme.is_some()
    }

    /// Whether only proxies and this host may connect: clients are told https, and the TLS is a proxy's.
    pub fn is_behind_proxies(&self) -> bool {
        !self.has_tls() && self.server_url.starts_with("https://")
    }
}

/// Certificate chain and private key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub cert_file: PathBuf,
    /// The key.
    pub key_file: PathBuf,
}

/// The listener for metrics and health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonitorConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether that was written down; then a server that cannot listen there does not start.
    pub chosen: bool,
}

/// The embedded relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayConfig {
    /// Its own TLS listener; none when it shares the server's, which then has TLS, itself or by a proxy.
    pub listen: Option<SocketAddr>,
    /// The port that clients are told.
    pub port: u16,
    /// Where STUN answers; none when it is off.
    pub stun: Option<SocketAddr>,
    /// The host name or address that clients are told.
    pub host: String,
    /// 900 to 999 keep clear of other maps.
    pub region_id: u16,
    /// Short name of the region.
    pub region_code: String,
    /// Name of the region for people.
    pub region_name: String,
}

/// Where a further DERP map comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DerpMapSource {
    /// A file, YAML or JSON.
    File(PathBuf),
    /// An http or https URL that answers with JSON.
    Url(String),
}

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file, or `flags`.
    pub place: String,
    /// The key, for example `relay.listen`; empty when the whole file is meant.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead, where that is known.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// `90s`, `15m`, `24h`, `7d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))
}
