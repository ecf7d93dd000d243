//! From flags to the configuration of a relay.

use std::path::PathBuf;

use control::standalone::{
    Fault,
    config::{Config, File, Flags, resolve},
};

use crate::{
    server::mistaken,
    talk::{Failure, read_text},
};

/// What the command line may say about a relay.
#[derive(Clone, clap::Args)]
pub struct Settings {
    /// Configuration file (YAML) [default: none, flags alone]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Host name or address that clients are told, instead of `hostname`
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// URL of the control server that says who may use the relay, instead of `verify`
    #[arg(long, value_name = "URL")]
    verify: Option<String>,
    /// Where to listen, instead of `listen` [default: [::]:443]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where to answer STUN, or `off`, instead of `stun` [default: UDP port 3478 there]
    #[arg(long, value_name = "ADDRESS:PORT")]
    stun: Option<String>,
    /// Folder of key and certificate, instead of `data_dir` [default: relay-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Let everybody use the relay, also those of other meshes
    #[arg(long)]
    allow_anyone: bool,
}

impl Settings {
    /// The configuration; all mistakes in it at once.
    pub fn resolve(&self) -> Result<Config, Failure> {
        let Settings { config, hostname, verify, listen, stun, data_dir, allow_anyone } = self.clone();
        let file = match &config {
            Some(path) => File::parse(path, &read_text(path)?).map_err(mistaken)?,
            None => File::default(),
        };
        let flags = Flags { config_path: config, hostname, listen, stun, data_dir, verify, allow_anyone };
        resolve(&file, &flags).map_err(mistaken)
    }
}

/// Why the relay does not run, in the words of the command line.
pub fn fault(fault: &Fault) -> Failure {
    let failure = Failure::failed(fault.to_string()).code("relay_fault");
    match fault.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
