//! Devices that came without a key and wait to be let in. Not part of the World: they are strangers.
//!
//! One login per machine key and node key, at most 2 KiB and 15 minutes each, 64 from one household and 8192 in all. A
//! full room refuses the newcomer and drops nobody. They survive a restart.

mod login;
mod shelf;
mod visit;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ident::{MachineKey, NodeKey};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use wire::Hostinfo;
use world::{Command, NewOwner, Refusal, Registration};

use crate::{
    fanout::Hub,
    store::{Store, StoreError},
};
pub use login::{Code, Login};
use shelf::Shelf;
pub use visit::{Visit, Visits, Way, plain};

const WAITS: SignedDuration = SignedDuration::from_mins(15);
/// How often it is looked who is in and whose time is over.
const LOOK: Duration = Duration::from_millis(250);
/// Strangers cause no more writes than one in that time.
const WRITE_EVERY: Duration = Duration::from_millis(50);

/// Why a device is not waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The household, the machine or everybody together has all places.
    #[error("too many devices wait to be let in; let some in, or come back in a quarter of an hour")]
    TooMany,
    /// It says more of itself than is kept of a stranger.
    #[error("this device asks for too many tags to wait without an auth key")]
    TooLong,
    /// Somebody has looked at it.
    #[error(
        "an operator of this mesh has refused this device; ask them, then try again in a quarter of an hour"
    )]
    Denied,
    /// Another device waits with that code.
    #[error("a device waits with this code already")]
    CodeTaken,
}

/// All devices that wait.
pub struct Pending {
    /// Logins by SSH that wait.
    pub visits: Visits,
    shelf: Mutex<Shelf>,
    store: Arc<Store>,
    hub: Arc<Hub>,
    changed: Notify,
    /// The last change that is written.
    written: watch::Sender<u64>,
}

/// A request that waits for the end of a login.
#[derive(Debug)]
pub struct Waiting {
    /// For which one.
    pub login: Arc<Login>,
    over: CancellationToken,
}

impl Waiting {
    /// Returns when the device is in, when its time is over, or when another request waits in the place of this one.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }
}

impl Pending {
    /// With those that waited when the last process ended.
    pub fn open(store: Arc<Store>, hub: Arc<Hub>) -> Result<Self, StoreError> {
        let mut shelf = Shelf::new();
        shelf.put_back(store.pending(Timestamp::now().as_second())?);
        let (shelf, written) = (Mutex::new(shelf), watch::Sender::new(0));
        Ok(Self { visits: Visits::default(), shelf, store, hub, changed: Notify::new(), written })
    }

    /// The login of a device that waits or begins to; it is written when this returns.
    pub async fn begin(&self, r: &Registration, remote: SocketAddr) -> Result<Arc<Login>, NotTaken> {
        let now = Timestamp::now();
        let (login, number) = {
            let world = self.hub.world();
            let mut shelf = self.shelf();
            if let Some(login) = shelf.of_keys(r.machine, r.node_key, &world, now) {
                return Ok(login);
            }
            if shelf.denies(r.machine, r.node_key, now) {
                return Err(NotTaken::Denied);
            }
            shelf.take(Login::new(r, remote.ip(), now, ends(now)), remote)?
        };
        self.changed.notify_one();
        let _ = self.written.subscribe().wait_for(|written| *written >= number).await;
        Ok(login)
    }

    /// A device that nobody has begins to wait, for those who try their tools.
    pub fn invent(&self, code: Code, hostinfo: Hostinfo, source: IpAddr) -> Result<Arc<Login>, NotTaken> {
        let now = Timestamp::now();
        let mut shelf = self.shelf();
        if shelf.knows(&code) {
            return Err(NotTaken::CodeTaken);
        }
        let login = Login::invented(code, hostinfo, source, now, ends(now)).ok_or(NotTaken::TooMany)?;
        let (login, _) = shelf.take(login, SocketAddr::new(source, 0))?;
        self.changed.notify_one();
        Ok(login)
    }

    /// Waits for a login of these keys. None when there is none with that code, or it is of other keys.
    pub fn wait(&self, code: &Code, machine: MachineKey, key: NodeKey) -> Option<Waiting> {
        let waiting = self.shelf().wait(code, machine, key);
        waiting.map(|(login, over)| Waiting { login, over })
    }

    /// The login with this code, while it can be let in. Repeating that is no error.
    pub fn find(&self, code: &Code) -> Option<Arc<Login>> {
        self.shelf().find(code, &self.hub.world(), Timestamp::now())
    }

    /// All that wait, the oldest first.
    pub fn waiting(&self) -> Vec<Arc<Login>> {
        self.shelf().waiting(&self.hub.world(), Timestamp::now())
    }

    /// The command that lets a device in. `code` may be the whole URL that the device showed. Whoever has it carried out
    /// calls [`Pending::look`] then, so that the device hears of it at once.
    pub fn approval(&self, code: &str, owner: NewOwner) -> Result<Command, Refusal> {
        Ok(Command::ApproveLogin { login: self.login(code)?.registration(), owner })
    }

    /// The device that is meant by a code or by the whole URL that it showed.
    pub fn login(&self, code: &str) -> Result<Arc<Login>, Refusal> {
        let missing =
            || Refusal::NotFound { noun: "login", name: wire::plain(code).chars().take(64).collect() };
        Code::parse(code).and_then(|code| self.find(&code)).ok_or_else(missing)
    }

    /// Tells a device that [`Command::DenyLogin`] has refused it, now and until its time is over.
    pub fn deny(&self, code: &Code) {
        self.shelf().deny(code);
        self.changed.notify_one();
    }

    /// Looks now who is in.
    pub fn look(&self) {
        self.shelf().look(&self.hub.world(), Timestamp::now());
        self.changed.notify_one();
    }

    /// Writes what has changed and looks after what is over, until told to stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut look = tokio::time::interval(LOOK);
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => true,
                () = self.changed.notified() => false,
                _ = look.tick() => { self.look(); continue }
            };
            self.write().await;
            if ended {
                return;
            }
            tokio::time::sleep(WRITE_EVERY).await;
        }
    }

    /// What cannot be written is still waited for until the process ends; then the device asks again.
    async fn write(&self) {
        let unwritten = self.shelf().unwritten();
        let number = unwritten.number;
        if !(unwritten.kept.is_empty() && unwritten.gone.is_empty()) {
            let store = self.store.clone();
            let write = move || store.keep_pending(&unwritten.kept, &unwritten.gone);
            let failed = match tokio::task::spawn_blocking(write).await {
                Ok(Ok(())) => None,
                Ok(Err(e)) => Some(e.to_string()),
                Err(e) => Some(e.to_string()),
            };
            if let Some(error) = failed {
                tracing::warn!(
                    error,
                    "devices that wait to be let in are not written; a restart forgets them"
                );
            }
        }
        self.written.send_replace(number);
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the time of a device is over that begins to wait.
fn ends(now: Timestamp) -> Timestamp {
    now.checked_add(WAITS).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
