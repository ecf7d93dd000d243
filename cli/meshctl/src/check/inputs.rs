//! What checks look at, as flags.

use std::{net::SocketAddr, path::PathBuf};

use readiness::check::files::Kind;

use crate::{
    probe::{dns::Server, tls::Trust},
    secret::KeyArgs,
    talk::Failure,
};

/// Flags that name what there is to look at.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "What to look at")]
pub struct Inputs {
    /// URL that clients use [default: what the server tells them]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The server itself, behind its proxy, to see which of the two is at fault
    #[arg(long, value_name = "URL")]
    pub direct: Option<String>,
    /// Certificates of an authority of your own (PEM)
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Public resolver to ask: 9.9.9.9, 9.9.9.9:53, tls://9.9.9.9#NAME, https://9.9.9.9#NAME; several times [default:
    /// those of three operators, by every way]
    #[arg(long, value_name = "RESOLVER")]
    pub resolver: Vec<Server>,
    /// Address that runs no DNS: who answers there answers for everybody
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "192.0.2.1:53", hide_default_value = true)]
    pub no_resolver: Option<SocketAddr>,
    /// Nameserver to judge beside those that the server tells its clients; several times
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = nameserver)]
    pub nameserver: Vec<SocketAddr>,
    /// The server's configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The server's data folder
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Folder of backups with their receipts
    #[arg(long, value_name = "DIR")]
    pub backups: Option<PathBuf>,
    /// File that must hold something, KIND: noise-key, database, vault, wazuh-keys, certificate, private-key, token,
    /// file [default: by its name]; several times
    #[arg(long, value_name = "PATH[=KIND]", value_parser = file)]
    pub file: Vec<(PathBuf, Kind)>,
    /// Playbooks and documents, files or folders; several times
    #[arg(long, value_name = "PATH")]
    pub playbooks: Vec<PathBuf>,
    /// Record of a run of the playbooks on a fresh host [default: fresh-run.json beside them]
    #[arg(long, value_name = "FILE")]
    pub fresh_record: Option<PathBuf>,
    /// nginx configuration in front of the server; several times
    #[arg(long, value_name = "FILE")]
    pub proxy_config: Vec<PathBuf>,
    /// File with an API key that a consumer holds; several times
    #[arg(long, value_name = "FILE")]
    pub deployed_key: Vec<PathBuf>,
    /// Vault with the consumer's API key
    #[arg(long, value_name = "FILE")]
    pub vault: Option<PathBuf>,
    /// Which value of the vault
    #[arg(long, value_name = "NAME", requires = "vault")]
    pub var: Option<String>,
    /// What was there before, as --remember wrote it
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// URL of the web interface
    #[arg(long, value_name = "URL")]
    pub ui_url: Option<String>,
    /// The client's program on this machine
    #[arg(long, value_name = "PROGRAM", default_value = "tailscale")]
    pub tailscale: Option<String>,
    /// The client's socket on this machine
    #[arg(long, value_name = "PATH")]
    pub tailscale_socket: Option<String>,
    #[command(flatten)]
    pub keys: KeyArgs,
}

impl Inputs {
    /// Whom TLS trusts.
    pub fn trust(&self) -> Result<Trust, Failure> {
        self.ca.as_deref().map_or_else(|| Ok(Trust::default()), Trust::from_file)
    }
}

fn nameserver(text: &str) -> Result<SocketAddr, String> {
    let bare = text.trim_matches(['[', ']']).parse().map(|ip| SocketAddr::new(ip, 53));
    bare.or_else(|_| text.parse()).map_err(|_| format!("`{text}` is no address, nor one with a port"))
}

fn file(text: &str) -> Result<(PathBuf, Kind), String> {
    match text.rsplit_once('=') {
        Some((path, kind)) => Ok((path.into(), kind.parse()?)),
        None => Ok((text.into(), Kind::of(text))),
    }
}
