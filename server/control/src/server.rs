//! Puts the parts together, starts them in order, stops them in order.

mod lockfile;
mod start;

use std::{path::PathBuf, sync::Arc};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Config, doors::Doors, keyring::KeyringError, listen::TlsError,
    relay::certificate::CertificateError, store::StoreError, writer::Running,
};

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A file or socket said no.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        cause: std::io::Error,
    },
    /// Another server uses the folder.
    #[error("{folder} is in use by another server")]
    Locked {
        /// The data folder.
        folder: PathBuf,
    },
    /// Keys and database do not go together.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The relay's certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The Noise key is no key.
    #[error("the Noise key cannot be used")]
    NoiseKey,
    /// The disk may have lied; going on would acknowledge what is not stored.
    #[error("stopped: {0}")]
    Stopped(Arc<StoreError>),
}

impl Fault {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Fault::Keyring(e) => e.hint().into(),
            Fault::Locked { folder } => {
                format!("stop it first, or choose another folder than {}", folder.display())
            }
            Fault::Io { cause, .. } if cause.kind() == std::io::ErrorKind::AddrInUse => {
                "another program listens there; choose another address with `listen` or `relay.listen`".into()
            }
            Fault::Stopped(_) => "check the disk, then start again: nothing acknowledged is lost".into(),
            _ => return None,
        })
    }

    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Fault {
        let what = what.into();
        move |cause| Fault::Io { what, cause }
    }
}

/// Where a running server is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// What clients use as login server.
    pub server_url: String,
    /// The admin API's socket.
    pub socket: PathBuf,
    /// Where keys and database are.
    pub data_dir: PathBuf,
}

/// A running server.
pub struct Server {
    ready: Ready,
    doors: Arc<Doors>,
    stop: CancellationToken,
    tasks: TaskTracker,
    writer: Running,
    _lock: lockfile::LockFile,
}

impl Server {
    /// Starts everything; when it returns, clients are served.
    pub async fn start(config: Config) -> Result<Self, Fault> {
        start::start(config).await
    }

    /// Where it is found.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// What its doors share; for the program that runs it, and for tests.
    pub fn doors(&self) -> &Arc<Doors> {
        &self.doors
    }

    /// Waits until it has to give up. Returns only then.
    pub async fn failed(&self) -> Fault {
        let mut failed = self.writer.failed.lock().await;
        match (&mut *failed).await {
            Ok(cause) => Fault::Stopped(cause),
            Err(_) => std::future::pending().await,
        }
    }

    /// Ends every connection, writes the last values, releases the folder.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let Self { doors, writer, ready, .. } = self;
        doors.writer.finish();
        let _ = tokio::task::spawn_blocking(move || writer.join()).await;
        let _ = std::fs::remove_file(&ready.socket);
    }
}
