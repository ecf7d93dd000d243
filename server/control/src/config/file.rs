//! The file as it is written. Every key is optional; unknown ones are mistakes.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_yaml::Value;

use super::{Mistake, unknown};

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
    /// Folder of keys and database.
    pub data_dir: Option<PathBuf>,
    /// Socket of the admin API.
    pub socket: Option<PathBuf>,
    /// MagicDNS suffix.
    pub domain: Option<String>,
    /// The embedded relay.
    pub relay: Option<RelayFile>,
    /// Files or URLs of further DERP maps.
    pub derp_maps: Vec<String>,
    /// How long a node stays online after its stream ended.
    pub leaving_grace: Option<String>,
    /// How long an ephemeral node may be away.
    pub ephemeral_grace: Option<String>,
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
    "data_dir",
    "socket",
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
    "leaving_grace",
    "ephemeral_grace",
];

impl File {
    /// Parses the text of the file called `path`; all unknown keys are reported together.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Vec<Mistake>> {
        let place = path.display().to_string();
        let whole =
            |message: String| vec![Mistake { place: place.clone(), key: String::new(), message, hint: None }];
        let value: Value = serde_yaml::from_str(text).map_err(|e| whole(e.to_string()))?;
        if value.is_null() {
            return Ok(Self::default());
        }
        let mut mistakes = unknown::keys(&place, &value, KEYS);
        match serde_yaml::from_str(text) {
            Ok(file) if mistakes.is_empty() => Ok(file),
            Ok(_) => Err(mistakes),
            Err(e) => {
                mistakes.extend(whole(e.to_string()));
                Err(mistakes)
            }
        }
    }
}
