//! Certificate files that are watched. A pair that cannot be used leaves the one before, and is said aloud.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{Pair, Shown, TlsError};
use crate::{config::TlsFiles, mark::Mark};

const LOOK: Duration = Duration::from_secs(1);
/// A certificate that is not renewed by then is told of.
const WARN_BEFORE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Says why a key must not be used from where it is.
pub type Check = fn(&Path) -> Result<(), String>;

/// The files of a listener's certificate.
#[derive(Debug)]
pub struct CertificateFiles {
    shown: Arc<Shown>,
    check: Check,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    files: TlsFiles,
    trouble: Option<String>,
}

/// The state of both files.
type Marks = [Option<Mark>; 2];

impl CertificateFiles {
    /// Reads them for the first time.
    pub fn open(files: TlsFiles, check: Check) -> Result<Arc<Self>, TlsError> {
        let shown = Shown::new(read(&files, check)?);
        let state = Mutex::new(State { files, trouble: None });
        let this = Arc::new(Self { shown, check, state });
        if let Some(words) = this.age(Timestamp::now()) {
            tracing::error!("{words}");
        }
        Ok(this)
    }

    /// What the listener shows.
    pub fn shown(&self) -> Arc<Shown> {
        self.shown.clone()
    }

    /// Whether the listener shows this one already.
    pub fn shows(&self, pair: &Pair) -> bool {
        self.shown.pair().is_some_and(|shown| shown.certified().cert == pair.certified().cert)
    }

    /// What an operator should know, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let trouble = self.state().trouble.clone();
        trouble.into_iter().chain(self.age(Timestamp::now())).collect()
    }

    /// Reads a pair that may take the place of the one shown.
    pub fn read(&self, files: &TlsFiles) -> Result<Pair, String> {
        let pair = read(files, self.check).map_err(|e| e.to_string())?;
        let now = Timestamp::now();
        if !pair.is_good_at(now) && self.shown.pair().is_some_and(|shown| shown.is_good_at(now)) {
            return Err(format!("{}: {}", files.cert_file.display(), when(&pair)));
        }
        Ok(pair)
    }

    /// Reads the files again at once; whether they hold another pair, which is shown from now on.
    pub fn again(&self) -> Result<bool, String> {
        let files = self.state().files.clone();
        let pair = self.read(&files)?;
        let is_another = !self.shows(&pair);
        if is_another {
            self.take(files, pair);
        }
        Ok(is_another)
    }

    /// Shows this pair, which was read from these files, and watches them from now on.
    pub fn take(&self, files: TlsFiles, pair: Pair) {
        self.shown.exchange(pair);
        *self.state() = State { files, trouble: None };
    }

    /// Takes every other pair that can be used, until told to stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let (mut judged, mut seen): (Option<Marks>, Option<Marks>) = (None, None);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let files = self.state().files.clone();
            let found = [Mark::of(&files.cert_file), Mark::of(&files.key_file)];
            if judged == Some(found) {
                continue;
            }
            match self.read_aside(&files).await {
                Ok(pair) => self.replace(&files, pair),
                // The two are seldom exchanged at one moment.
                Err(_) if seen != Some(found) => {
                    seen = Some(found);
                    continue;
                }
                Err(why) => self.note(&files, why),
            }
            judged = found.iter().flatten().all(Mark::is_settled).then_some(found);
        }
    }

    /// The same off the threads that serve.
    pub async fn read_aside(self: &Arc<Self>, files: &TlsFiles) -> Result<Pair, String> {
        let (this, files) = (self.clone(), files.clone());
        let read = tokio::task::spawn_blocking(move || this.read(&files)).await;
        read.unwrap_or_else(|e| Err(e.to_string()))
    }

    /// Unless a reload named other files meanwhile.
    fn replace(&self, files: &TlsFiles, pair: Pair) {
        let mut state = self.state();
        if state.files != *files {
            return;
        }
        let is_new = !self.shows(&pair);
        let expires = pair.expires().map(|at| at.to_string());
        self.shown.exchange(pair);
        let was_in_trouble = state.trouble.take().is_some();
        if is_new || was_in_trouble {
            let path = files.cert_file.display();
            tracing::info!(%path, expires, "the certificate in the files is shown from now on");
        }
    }

    fn note(&self, files: &TlsFiles, why: String) {
        let mut state = self.state();
        let trouble = format!("tls: {why}; the certificate that was read before is still shown");
        if state.files != *files || state.trouble.as_ref() == Some(&trouble) {
            return;
        }
        tracing::error!("THE CERTIFICATE FILES ARE NOT USED: {trouble}");
        state.trouble = Some(trouble);
    }

    /// What is to be said of the time that is left.
    fn age(&self, now: Timestamp) -> Option<String> {
        let pair = self.shown.pair()?;
        let (begins, expires) = (pair.begins()?, pair.expires()?);
        let is_short = expires.duration_since(begins) <= WARN_BEFORE * 2;
        let soon = if is_short { expires.duration_since(begins) / 6 } else { WARN_BEFORE };
        if pair.is_good_at(now) && expires.duration_since(now) > soon {
            return None;
        }
        let path = self.state().files.cert_file.display().to_string();
        Some(format!("tls: the certificate of {path} {}; renew it", when(&pair)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(files: &TlsFiles, check: Check) -> Result<Pair, TlsError> {
    check(&files.key_file).map_err(TlsError::Unsafe)?;
    Pair::read(files)
}

fn when(pair: &Pair) -> String {
    let now = Timestamp::now();
    match (pair.begins(), pair.expires()) {
        (Some(from), _) if now < from => format!("is not good before {from}"),
        (_, Some(until)) if until <= now => format!("expired at {until}"),
        (_, Some(until)) => format!("expires at {until}"),
        _ => "has no dates that can be read".to_owned(),
    }
}
