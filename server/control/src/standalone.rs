//! A relay on its own, away from its control server: DERP, STUN, its certificate, and the question who may use it.
//!
//! Enters: a resolved [`config::Config`]. Leaves: a running [`Standalone`], and the DERP map that names it. Must not know:
//! the World, which the control server answers for.

mod admission;
pub mod config;
mod control;
mod guests;
mod monitor;
mod recheck;
mod start;

use std::{path::PathBuf, sync::Arc};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wire::DerpMap;

use crate::{
    backup::lockfile::LockFile,
    certificate::{Certificate, TlsError},
    files::FileFault,
    keyring::KeyringError,
    relay::{Relay, certificate::CertificateError},
};
use config::Config;

/// Why the relay does not run.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A socket said no.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        cause: std::io::Error,
    },
    /// Another relay or server uses the folder.
    #[error("{folder} is in use by another relay or server", folder = folder.display())]
    Locked {
        /// The data folder.
        folder: PathBuf,
    },
    /// A file or folder cannot be used.
    #[error(transparent)]
    File(#[from] FileFault),
    /// The relay's key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyringError),
    /// The certificate that was given cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its own certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Nobody can be asked.
    #[error("the control server cannot be asked: {0}")]
    Control(String),
}

impl Fault {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Locked { folder } => {
                format!("stop it first, or choose another folder than {}", folder.display())
            }
            Self::Io { cause, .. } => return io_hint(cause),
            Self::File(fault) => return fault.hint(),
            Self::Key(_) => {
                "restore the file from a backup, or move it away: the relay then gets a new key".into()
            }
            Self::Control(_) => "look at `verify_ca_file`".into(),
            Self::Tls(_) | Self::Certificate(_) => return None,
        })
    }

    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Fault {
        let what = what.into();
        move |cause| Fault::Io { what, cause }
    }
}

fn io_hint(cause: &std::io::Error) -> Option<String> {
    use std::io::ErrorKind::{AddrInUse, PermissionDenied, Unsupported};
    const NO_SUCH_FAMILY: i32 = 97;
    if cause.raw_os_error() == Some(NO_SUCH_FAMILY) || cause.kind() == Unsupported {
        return Some("this host has no IPv6: for example listen: 0.0.0.0:443".into());
    }
    match cause.kind() {
        AddrInUse => Some("another program listens there; choose another address".into()),
        PermissionDenied => Some("ports below 1024 want CAP_NET_BIND_SERVICE, or another port".into()),
        _ => None,
    }
}

/// A running relay.
pub struct Standalone {
    relay: Arc<Relay>,
    map: DerpMap,
    certificate: Option<Certificate>,
    stop: CancellationToken,
    tasks: TaskTracker,
    _lock: LockFile,
}

impl Standalone {
    /// Starts everything; when it returns, clients are served.
    pub async fn start(config: Config) -> Result<Self, Fault> {
        start::start(config).await
    }

    /// What a control server has to tell its clients.
    pub fn map(&self) -> &DerpMap {
        &self.map
    }

    /// The relay itself.
    pub fn relay(&self) -> &Arc<Relay> {
        &self.relay
    }

    /// Reads certificate files again that were given; false when there are none, or they have not changed.
    pub fn reload(&self) -> Result<bool, String> {
        match self.certificate.as_ref().and_then(Certificate::files) {
            Some(files) => files.again(),
            None => Ok(false),
        }
    }

    /// Ends every connection and releases the folder.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The DERP map of a relay that is configured like this; none before its own certificate was made by a first start.
pub fn map(config: &Config) -> Result<Option<DerpMap>, Fault> {
    start::map(config)
}

/// The map as the text of a file for `derp_maps`.
pub fn map_file(map: &DerpMap) -> String {
    let value = serde_json::to_value(map).unwrap_or_default();
    serde_yaml::to_string(&value).unwrap_or_default()
}
