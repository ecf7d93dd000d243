//! The file as it is written. Every key is optional; unknown ones are mistakes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{Flags, Mistake, resolve, written};

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct File {
    /// Where clients find the server.
    pub server_url: Option<String>,
    /// `ADDRESS:PORT` to listen on.
    pub listen: Option<String>,
    /// TLS of that listener.
    pub tls: Option<TlsFile>,
    /// Certificates from an authority.
    pub acme: Option<AcmeFile>,
    /// Who may say where a client is.
    pub proxies: Option<ProxiesFile>,
    /// Folder of keys and database.
    pub data_dir: Option<PathBuf>,
    /// Socket of the admin API.
    pub socket: Option<PathBuf>,
    /// The admin API.
    pub admin: Option<AdminFile>,
    /// MagicDNS suffix.
    pub domain: Option<String>,
    /// The embedded relay.
    pub relay: Option<RelayFile>,
    /// Files or URLs of further DERP maps.
    pub derp_maps: Vec<String>,
    /// Pre-auth keys.
    pub keys: Option<KeysFile>,
    /// What holds of DNS until it is changed.
    pub dns: Option<DnsFile>,
    /// How long a node stays online after its stream ended.
    pub leaving_grace: Option<String>,
    /// How long an ephemeral node may be away.
    pub ephemeral_grace: Option<String>,
    /// How long the key of a person's device is accepted, or `never`.
    pub key_expiry: Option<String>,
}

/// `tls:`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TlsFile {
    /// PEM chain, leaf first.
    pub cert_file: Option<PathBuf>,
    /// PEM key.
    pub key_file: Option<PathBuf>,
}

/// `acme:`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AcmeFile {
    /// URL of the authority's directory.
    pub directory: Option<String>,
    /// Whom it writes to.
    pub email: Option<String>,
    /// PEM of what signs the directory's own certificate.
    pub ca_file: Option<PathBuf>,
    /// `ADDRESS:PORT` of plain HTTP for the authority.
    pub http_listen: Option<String>,
}

/// `proxies:`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ProxiesFile {
    /// Addresses and prefixes.
    pub addresses: Vec<String>,
    /// `x-forwarded-for`, `forwarded` or `proxy-protocol`.
    pub header: Option<String>,
}

/// `admin:`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AdminFile {
    /// Off by default: API keys are not taken over plain HTTP, except on loopback.
    pub plain_http: Option<bool>,
    /// Sites whose pages may call it: `https://ui.example.com`.
    pub cors_origins: Vec<String>,
    /// `ADDRESS:PORT` of metrics and health, or `off`.
    pub listen: Option<String>,
}

/// `keys:`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct KeysFile {
    /// Off by default: every key has a role.
    pub allow_untagged: Option<bool>,
}

/// `dns:`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DnsFile {
    /// On by default.
    pub magic: Option<bool>,
    /// Off by default.
    pub override_local: Option<bool>,
    /// Global nameservers.
    pub resolvers: Vec<String>,
    /// Nameservers by suffix.
    pub split: BTreeMap<String, Vec<String>>,
    /// Suffixes to search behind the tailnet's own.
    pub search: Vec<String>,
    /// A file of extra names that is watched.
    pub records_file: Option<PathBuf>,
}

/// `relay:`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RelayFile {
    /// On by default.
    pub enabled: Option<bool>,
    /// `ADDRESS:PORT` of its own TLS listener.
    pub listen: Option<String>,
    /// `ADDRESS:PORT` for STUN, or `off`.
    pub stun: Option<String>,
    /// Host name or address that clients are told.
    pub host: Option<String>,
    /// 900 to 999.
    pub region_id: Option<u16>,
    /// Short name of the region.
    pub region_code: Option<String>,
    /// Name of the region for people.
    pub region_name: Option<String>,
}

const KEYS: &[&str] = &[
    "server_url",
    "listen",
    "tls",
    "tls.cert_file",
    "tls.key_file",
    "acme",
    "acme.directory",
    "acme.email",
    "acme.ca_file",
    "acme.http_listen",
    "proxies",
    "proxies.addresses",
    "proxies.header",
    "data_dir",
    "socket",
    "admin",
    "admin.plain_http",
    "admin.cors_origins",
    "admin.listen",
    "domain",
    "relay",
    "relay.enabled",
    "relay.listen",
    "relay.stun",
    "relay.host",
    "relay.region_id",
    "relay.region_code",
    "relay.region_name",
    "derp_maps",
    "keys",
    "keys.allow_untagged",
    "dns",
    "dns.magic",
    "dns.override_local",
    "dns.resolvers",
    "dns.split",
    "dns.split.*",
    "dns.search",
    "dns.records_file",
    "leaving_grace",
    "ephemeral_grace",
    "key_expiry",
];

impl File {
    /// Parses the text of the file called `path`. When something is wrong with it, its values are checked too, so
    /// that all mistakes are reported together.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Vec<Mistake>> {
        let (file, mut mistakes) = written::read(path, text, KEYS)?;
        if mistakes.is_empty() {
            return Ok(file);
        }
        let flags = Flags { config_path: Some(path.to_owned()), ..Flags::default() };
        mistakes.extend(resolve(&file, &flags).err().unwrap_or_default());
        Err(mistakes)
    }
}
