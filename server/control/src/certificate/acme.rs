//! Certificates from an ACME authority (RFC 8555), by HTTP-01 or TLS-ALPN-01: obtained, kept, renewed in time.

mod folder;
mod http;
mod order;
mod proof;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::Router;
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Pair, Shown, TlsError};
use crate::config::AcmeConfig;
use folder::Folder;

/// The authority looks by itself, and may take its time.
const ORDER_WITHIN: Duration = Duration::from_secs(300);
/// Between tries that fail: authorities allow five an hour or so.
const FIRST_PAUSE: Duration = Duration::from_secs(120);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);
/// The clock may be set.
const LOOK: Duration = Duration::from_secs(3600);

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcmeError {
    /// The authority said no, or could not be reached.
    #[error("{}", wire::plain(&.0.to_string()))]
    Authority(#[from] instant_acme::Error),
    /// It cannot be asked.
    #[error("the authority cannot be asked: {0}")]
    Client(String),
    /// It found something else than the proof, or nothing.
    #[error(
        "the authority does not accept the proof for {name}: {why} (port {port} of that name must lead here)"
    )]
    Unproven {
        /// Of the host.
        name: String,
        /// Where it looked.
        port: u16,
        /// In its words.
        why: String,
    },
    /// It offers no way to prove anything that is configured.
    #[error("the authority offers no {0}")]
    NoSuchProof(&'static str),
    /// What it gave cannot be used.
    #[error(transparent)]
    Pair(#[from] TlsError),
    /// A request for a certificate cannot be made.
    #[error("cannot make a request: {0}")]
    Request(#[from] rcgen::Error),
    /// The data folder.
    #[error("{0}")]
    Folder(String),
    /// Nothing for minutes.
    #[error("it takes too long")]
    Late,
}

/// The certificate of the main listener, from an authority.
#[derive(Debug)]
pub struct Acme {
    config: AcmeConfig,
    folder: Folder,
    shown: Arc<Shown>,
    trouble: Mutex<Option<String>>,
}

impl Acme {
    /// Takes up the certificate that was obtained before, if there is one for these names. Files are in the folder
    /// `acme` of the data folder, 0600.
    pub fn open(config: AcmeConfig, data_dir: &std::path::Path) -> Result<Arc<Self>, TlsError> {
        let folder = Folder::open(data_dir)?;
        let shown = Shown::empty();
        match folder.certificate() {
            Ok(Some(pair)) if pair.names(&config.names) => shown.exchange(pair),
            Ok(_) => {}
            Err(e) => {
                tracing::warn!(error = %e, "the certificate that was kept cannot be used; another is ordered")
            }
        }
        Ok(Arc::new(Self { config, folder, shown, trouble: Mutex::default() }))
    }

    /// What the listener shows; nothing before the first certificate.
    pub fn shown(&self) -> Arc<Shown> {
        self.shown.clone()
    }

    /// For a listener of plain HTTP: proofs for the authority, and the way to HTTPS for everybody else.
    pub fn router(&self, server_url: &str) -> Router {
        http::router(self.shown.clone(), server_url)
    }

    /// What an operator should know, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let trouble = self.trouble().clone();
        let missing = self.shown.pair().is_none().then(|| "acme: there is no certificate yet".to_owned());
        let late = self.shown.pair().and_then(|pair| {
            let now = Timestamp::now();
            (!pair.is_good_at(now)).then(|| "acme: the certificate has expired".to_owned())
        });
        trouble.into_iter().chain(missing).chain(late).collect()
    }

    /// Obtains a certificate whenever it is time for one, until told to stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut failures = 0;
        loop {
            let wait = if failures == 0 { self.wait(Timestamp::now()) } else { pause(failures) };
            let wait = if failures == 0 { wait.min(LOOK) } else { wait };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            if failures == 0 && !self.wait(Timestamp::now()).is_zero() {
                continue;
            }
            let obtained = tokio::select! {
                () = stop.cancelled() => return,
                obtained = timeout(ORDER_WITHIN, self.obtain()) => obtained,
            };
            match obtained.unwrap_or(Err(AcmeError::Late)) {
                Ok(()) => {
                    failures = 0;
                    *self.trouble() = None;
                }
                Err(e) => {
                    failures += 1;
                    self.failed(&e, pause(failures));
                }
            }
        }
    }

    async fn obtain(&self) -> Result<(), AcmeError> {
        tracing::info!(names = ?self.config.names, directory = %self.config.directory, "ordering a certificate");
        let pem = order::obtain(&self.config, &self.folder, &self.shown).await?;
        let pair = Pair::from_pem(&pem)?;
        // The listener has it even when the disk does not.
        let expires = pair.expires().map(|at| at.to_string());
        self.shown.exchange(pair);
        self.folder.keep_certificate(&pem)?;
        tracing::info!(expires, "the certificate of the authority is shown from now on");
        Ok(())
    }

    fn failed(&self, e: &AcmeError, again: Duration) {
        let names = self.config.names.join(", ");
        let words = format!("acme: no certificate for {names} from {}: {e}", self.config.directory);
        tracing::error!(again_seconds = again.as_secs(), "NO CERTIFICATE COULD BE HAD: {words}");
        *self.trouble() = Some(words);
    }

    /// Until a third of the certificate's life is left.
    fn wait(&self, now: Timestamp) -> Duration {
        let Some(pair) = self.shown.pair() else { return Duration::ZERO };
        let Some((begins, expires)) = pair.begins().zip(pair.expires()) else { return LOOK };
        let left: SignedDuration = expires.duration_since(now) - expires.duration_since(begins) / 3;
        Duration::try_from(left).unwrap_or_default()
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Twice as long after each failure.
fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_become_rare() {
        let pauses: Vec<u64> = [1, 2, 3, 7, 8, 100].map(|n| pause(n).as_secs()).to_vec();
        assert_eq!(pauses, [120, 240, 480, 7680, 15360, 21600]);
    }
}
