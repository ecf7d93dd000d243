//! The logins themselves, with their bounds, and what of them is still to be written.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use ident::{MachineKey, NodeKey};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use world::World;

use super::{Code, Login, NotTaken};
use crate::{
    quota::{Party, Pass, Quota},
    store::PendingRow,
};

/// Bytes of one login as it is written.
const LONGEST: usize = 2 << 10;
/// 16 MiB of the longest ones: in all, and from one household.
const PLACES: usize = 8192;
const PLACES_EACH: usize = 64;
/// Node keys that one machine may wait with; of more, its own oldest is forgotten.
const KEYS: usize = 8;

pub(super) struct Shelf {
    by_code: HashMap<Code, Entry>,
    by_machine: HashMap<MachineKey, HashMap<NodeKey, Code>>,
    places: Arc<Quota>,
    unwritten: Unwritten,
}

struct Entry {
    login: Arc<Login>,
    /// Given back once the device is in.
    place: Option<Pass>,
    admitted: bool,
    /// The one request that waits for it; cancelled when there is something to tell.
    waiting: CancellationToken,
}

/// What the table does not know yet.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    pub kept: Vec<PendingRow>,
    pub gone: Vec<String>,
    /// How many changes there were since the start.
    pub number: u64,
}

impl Shelf {
    pub fn new() -> Self {
        Self {
            by_code: HashMap::new(),
            by_machine: HashMap::new(),
            places: Quota::new(PLACES, PLACES_EACH),
            unwritten: Unwritten::default(),
        }
    }

    /// What an earlier process has written. A row that cannot be read is forgotten: its device asks again.
    pub fn put_back(&mut self, rows: Vec<PendingRow>) {
        for row in rows {
            match serde_json::from_str::<Login>(&row.body) {
                Ok(login) if login.code.to_string() == row.code => {
                    let place = self.places.enter(Party::at(SocketAddr::new(login.source, 0)));
                    self.put(login, place);
                }
                Ok(_) | Err(_) => self.forget_row(row.code),
            }
        }
    }

    /// The login that these keys wait with, if it is still of use.
    pub fn of_keys(
        &self,
        machine: MachineKey,
        key: NodeKey,
        world: &World,
        now: Timestamp,
    ) -> Option<Arc<Login>> {
        self.find(self.by_machine.get(&machine)?.get(&key)?, world, now)
    }

    /// A login that somebody may still let in, or has let in.
    pub fn find(&self, code: &Code, world: &World, now: Timestamp) -> Option<Arc<Login>> {
        let entry = self.by_code.get(code)?;
        let login = &entry.login;
        let of_use = login.expires > now && !login.denied && (!entry.admitted || is_in(world, login));
        of_use.then(|| login.clone())
    }

    /// Whether there is any login with this code.
    pub fn knows(&self, code: &Code) -> bool {
        self.by_code.contains_key(code)
    }

    /// Whether somebody has refused a device with these keys, not long ago.
    pub fn denies(&self, machine: MachineKey, key: NodeKey, now: Timestamp) -> bool {
        let code = self.by_machine.get(&machine).and_then(|keys| keys.get(&key));
        let login = code.and_then(|code| self.by_code.get(code)).map(|entry| &entry.login);
        login.is_some_and(|login| login.denied && login.expires > now)
    }

    /// Those that wait, the oldest first.
    pub fn waiting(&self, world: &World, now: Timestamp) -> Vec<Arc<Login>> {
        let entries =
            self.by_code.values().filter(|e| !e.admitted && !e.login.denied && e.login.expires > now);
        let mut logins: Vec<_> = entries.map(|e| e.login.clone()).filter(|l| !is_in(world, l)).collect();
        logins.sort_by(|a, b| (a.asked, &a.code).cmp(&(b.asked, &b.code)));
        logins
    }

    /// Takes a login in, in the place of an older one of the same keys. Says which change it was.
    pub fn take(&mut self, login: Login, remote: SocketAddr) -> Result<(Arc<Login>, u64), NotTaken> {
        let body = serde_json::to_string(&login).map_err(|_| NotTaken::TooLong)?;
        if body.len() > LONGEST {
            return Err(NotTaken::TooLong);
        }
        if let Some(older) = self.in_the_way(&login) {
            self.forget(&older);
        }
        let place = self.places.enter(Party::at(remote)).ok_or(NotTaken::TooMany)?;
        let (code, expires) = (login.code.to_string(), login.expires.as_second());
        self.unwritten.kept.push(PendingRow { code, expires, body });
        self.unwritten.number += 1;
        Ok((self.put(login, Some(place)), self.unwritten.number))
    }

    /// Waits for a login of these keys; who waited before has to ask again. None for a login of other keys.
    pub fn wait(
        &mut self,
        code: &Code,
        machine: MachineKey,
        key: NodeKey,
    ) -> Option<(Arc<Login>, CancellationToken)> {
        let entry = self.by_code.get_mut(code)?;
        if (entry.login.machine, entry.login.node_key) != (machine, key) {
            return None;
        }
        std::mem::take(&mut entry.waiting).cancel();
        if entry.admitted || entry.login.denied {
            entry.waiting.cancel();
        }
        Some((entry.login.clone(), entry.waiting.clone()))
    }

    /// Somebody has refused the device. It keeps its place, so that it is refused until its time is over.
    pub fn deny(&mut self, code: &Code) {
        let Some(entry) = self.by_code.get_mut(code) else { return };
        let login = Arc::new(Login { denied: true, ..(*entry.login).clone() });
        if let Ok(body) = serde_json::to_string(&*login) {
            let (code, expires) = (code.to_string(), login.expires.as_second());
            self.unwritten.kept.push(PendingRow { code, expires, body });
            self.unwritten.number += 1;
        }
        entry.login = login;
        entry.waiting.cancel();
    }

    /// Tells those whose device is in, and forgets what is over.
    pub fn look(&mut self, world: &World, now: Timestamp) {
        let mut over = Vec::new();
        for (code, entry) in &mut self.by_code {
            if entry.login.expires <= now {
                over.push(code.clone());
            } else if !entry.admitted && is_in(world, &entry.login) {
                entry.admitted = true;
                entry.place = None;
                entry.waiting.cancel();
            }
        }
        over.iter().for_each(|code| self.forget(code));
    }

    /// What is to be written since the last time.
    pub fn unwritten(&mut self) -> Unwritten {
        let number = self.unwritten.number;
        std::mem::replace(&mut self.unwritten, Unwritten { number, ..Unwritten::default() })
    }

    /// The machine's login with the same node key, or its oldest when it has its share.
    fn in_the_way(&self, login: &Login) -> Option<Code> {
        let own = self.by_machine.get(&login.machine)?;
        let oldest = || own.values().min_by_key(|code| self.by_code.get(*code).map(|e| e.login.asked));
        own.get(&login.node_key).or_else(|| oldest().filter(|_| own.len() >= KEYS)).cloned()
    }

    fn put(&mut self, login: Login, place: Option<Pass>) -> Arc<Login> {
        let login = Arc::new(login);
        let waiting = CancellationToken::new();
        self.by_machine.entry(login.machine).or_default().insert(login.node_key, login.code.clone());
        let entry = Entry { login: login.clone(), place, admitted: false, waiting };
        self.by_code.insert(login.code.clone(), entry);
        login
    }

    fn forget(&mut self, code: &Code) {
        let Some(entry) = self.by_code.remove(code) else { return };
        entry.waiting.cancel();
        if let Some(keys) = self.by_machine.get_mut(&entry.login.machine) {
            keys.retain(|_, other| other != code);
            if keys.is_empty() {
                self.by_machine.remove(&entry.login.machine);
            }
        }
        self.forget_row(code.to_string());
    }

    fn forget_row(&mut self, code: String) {
        self.unwritten.gone.push(code);
        self.unwritten.number += 1;
    }
}

/// Whether the device has been let in and still is.
fn is_in(world: &World, login: &Login) -> bool {
    let node = world.nodes.by_node_key(&login.node_key);
    node.is_some_and(|node| node.machine == login.machine && node.accepted())
}
