//! Puts the parts together, starts them in order, stops them in order.

mod addresses;
mod certificates;
mod reload;
mod start;

use std::{path::PathBuf, sync::Arc};

use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    backup::lockfile::LockFile,
    certificate::TlsError,
    config::{Config, NotReloaded},
    doors::Doors,
    files::FileFault,
    keyring::KeyringError,
    listen::Listener,
    relay::certificate::CertificateError,
    store::StoreError,
    writer::Running,
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
    /// A file or folder cannot be used.
    #[error(transparent)]
    File(#[from] FileFault),
    /// Nobody is left who could change anything.
    #[error("the writer has ended unexpectedly")]
    WriterEnded,
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
            Fault::WriterEnded => {
                "start again: nothing acknowledged is lost; the log above tells why, please report it".into()
            }
            Fault::File(fault) => return fault.hint(),
            _ => return None,
        })
    }

    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Fault {
        let what = what.into();
        move |cause| Fault::Io { what, cause }
    }
}

pub use reload::Source;

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
    main: Listener,
    stop: CancellationToken,
    tasks: TaskTracker,
    writer: Running,
    _lock: LockFile,
}

impl Server {
    /// Starts everything; when it returns, clients are served.
    pub async fn start(config: Config) -> Result<Self, Fault> {
        let same = config.clone();
        Self::start_from(config, Box::new(move || Ok(same.clone()))).await
    }

    /// The same, with room for so many connections, which come by [`Listener::welcome`] and need no open files.
    pub async fn start_with_room(config: Config, connections: usize) -> Result<Self, Fault> {
        let same = config.clone();
        // Of what may be open, five of eight are for members (`ts2021::allowance`).
        start::start(config, Box::new(move || Ok(same.clone())), connections.saturating_mul(2)).await
    }

    /// The same; whoever wants a reload gets what `source` then says.
    pub async fn start_from(config: Config, source: Source) -> Result<Self, Fault> {
        start::start(config, source, 0).await
    }

    /// The main listener, for connections that come some other way than over its socket.
    pub fn listener(&self) -> &Listener {
        &self.main
    }

    /// Where it is found.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// What its doors share; for the program that runs it, and for tests.
    pub fn doors(&self) -> &Arc<Doors> {
        &self.doors
    }

    /// Has the configuration read again and applied, all of it or nothing; the log says what came of it. The keys that
    /// have other values.
    pub async fn reload(&self) -> Result<Vec<String>, NotReloaded> {
        self.doors.reload(false).await
    }

    /// Waits until it has to give up. Returns only then.
    pub async fn failed(&self) -> Fault {
        let mut failed = self.writer.failed.lock().await;
        cause(&mut failed, &self.stop).await
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

/// Why the writer gave up. It says so when the database failed, and says nothing when it broke.
async fn cause(failed: &mut oneshot::Receiver<Arc<StoreError>>, stop: &CancellationToken) -> Fault {
    match failed.await {
        Ok(cause) => Fault::Stopped(cause),
        Err(_) if stop.is_cancelled() => std::future::pending().await,
        Err(_) => Fault::WriterEnded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_writer_that_broke_is_a_fault_and_one_that_was_stopped_is_none() {
        let (fail, mut failed) = oneshot::channel::<Arc<StoreError>>();
        let stop = CancellationToken::new();
        let thread = std::thread::spawn(move || {
            let _fail = fail;
            std::panic::resume_unwind(Box::new("broke"));
        });
        assert!(thread.join().is_err());
        let fault = cause(&mut failed, &stop).await;
        assert!(matches!(fault, Fault::WriterEnded) && fault.hint().is_some());

        let (fail, mut failed) = oneshot::channel();
        stop.cancel();
        drop(fail);
        let waited = tokio::time::timeout(std::time::Duration::from_millis(50), cause(&mut failed, &stop));
        assert!(waited.await.is_err(), "a stop is no fault");
    }
}
