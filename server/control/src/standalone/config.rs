//! What a relay is told: a YAML file and flags in, one resolved [`Config`] or every mistake at once out. Pure.

mod resolve;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

pub use resolve::resolve;

use crate::config::{
    self, AcmeConfig, AcmeFile, AdminFile, Mistake, MonitorConfig, RelayConfig, TlsFile, TlsFiles,
};

/// Everything the relay needs to know, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What clients are told of it.
    pub region: RelayConfig,
    /// Key and certificate.
    pub data_dir: PathBuf,
    /// Certificate and key, if they are files.
    pub tls: Option<TlsFiles>,
    /// Where a certificate comes from that is in no files.
    pub acme: Option<AcmeConfig>,
    /// Who says who may use it; nobody when everybody may.
    pub verify: Option<VerifyConfig>,
    /// Where metrics and health are served, if they are.
    pub monitor: Option<MonitorConfig>,
}

/// The control server that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyConfig {
    /// The whole URL.
    pub url: String,
    /// What is trusted of its certificate, in the place of what the system trusts.
    pub ca_file: Option<PathBuf>,
    /// How often it is asked about each client that stays.
    pub every: Duration,
}

/// The whole file. Every key is optional; unknown ones are mistakes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct File {
    /// Host name or address that clients are told.
    pub hostname: Option<String>,
    /// `ADDRESS:PORT` to listen on.
    pub listen: Option<String>,
    /// The port that clients are told, where it is another one.
    pub port: Option<u16>,
    /// `ADDRESS:PORT` for STUN, or `off`.
    pub stun: Option<String>,
    /// Folder of key and certificate.
    pub data_dir: Option<PathBuf>,
    /// TLS from files.
    pub tls: Option<TlsFile>,
    /// Certificates from an authority.
    pub acme: Option<AcmeFile>,
    /// What the relay is called.
    pub region: Option<RegionFile>,
    /// URL of the control server.
    pub verify: Option<String>,
    /// PEM of what signs its certificate.
    pub verify_ca_file: Option<PathBuf>,
    /// Off by default: somebody in between could let strangers in.
    pub verify_plain_http: Option<bool>,
    /// How often it is asked about each client that stays.
    pub verify_every: Option<String>,
    /// Off by default.
    pub allow_anyone: Option<bool>,
    /// Metrics and health.
    pub admin: Option<AdminFile>,
}

/// `region:`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RegionFile {
    /// 900 to 999; another one for each relay.
    pub id: Option<u16>,
    /// Short name.
    pub code: Option<String>,
    /// For people.
    pub name: Option<String>,
}

/// What the command line may say; it wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// The file that `file` came from, for messages.
    pub config_path: Option<PathBuf>,
    /// Overrides `hostname`.
    pub hostname: Option<String>,
    /// Overrides `listen`.
    pub listen: Option<String>,
    /// Overrides `stun`.
    pub stun: Option<String>,
    /// Overrides `data_dir`.
    pub data_dir: Option<PathBuf>,
    /// Overrides `verify`.
    pub verify: Option<String>,
    /// Sets `allow_anyone`.
    pub allow_anyone: bool,
}

const KEYS: &[&str] = &[
    "hostname",
    "listen",
    "port",
    "stun",
    "data_dir",
    "tls",
    "tls.cert_file",
    "tls.key_file",
    "acme",
    "acme.directory",
    "acme.email",
    "acme.ca_file",
    "acme.http_listen",
    "region",
    "region.id",
    "region.code",
    "region.name",
    "verify",
    "verify_ca_file",
    "verify_plain_http",
    "verify_every",
    "allow_anyone",
    "admin",
    "admin.listen",
];

impl File {
    /// Parses the text of the file called `path`. When something is wrong with it, its values are checked too, so
    /// that all mistakes are reported together.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Vec<Mistake>> {
        let (file, mut mistakes) = config::read(path, text, KEYS)?;
        if mistakes.is_empty() {
            return Ok(file);
        }
        let flags = Flags { config_path: Some(path.to_owned()), ..Flags::default() };
        let named: Vec<String> = mistakes.iter().map(|m| m.key.clone()).collect();
        let further = resolve(&file, &flags).err().unwrap_or_default();
        mistakes.extend(further.into_iter().filter(|m| !named.contains(&m.key)));
        Err(mistakes)
    }
}
