//! Who is here, and which connection a packet belongs to.
//!
//! A key may have several connections; the one that last sent (or, before any did, last joined) is active and
//! gets what is sent to the key. Time comes in as milliseconds of any steady clock.

use std::collections::{BTreeMap, BTreeSet};

use ident::NodeKey;

/// More connections of one key push out the one that has been silent longest.
pub const MAX_CONNECTIONS_PER_KEY: usize = 8;

const NOT_HERE_BURST: u64 = 3;
const NOT_HERE_EVERY_MS: u64 = 1000;

/// One connection; never used again after it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(u64);

/// Where a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// To this connection, which is its addressee's.
    To(ConnId),
    /// To nobody; `tell` says whether the sender learns that the addressee is not here.
    NotHere { tell: bool },
    /// To nobody: the sender itself is not connected.
    Stranger,
}

/// What joining did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    /// The new connection.
    pub conn: ConnId,
    /// A connection of the same key that had to go for it; it has already left.
    pub evicted: Option<ConnId>,
}

/// Tell `to` that the node `gone` left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    pub to: ConnId,
    pub gone: NodeKey,
}

/// What closing a key did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closed {
    /// Connections that have left and must be cut.
    pub connections: Vec<ConnId>,
    pub notices: Vec<Notice>,
}

/// The membership of one relay.
#[derive(Debug, Default)]
pub struct Switchboard {
    next: u64,
    generation: u64,
    seats: BTreeMap<NodeKey, Seat>,
    lines: BTreeMap<ConnId, Line>,
}

impl Switchboard {
    /// A relay nobody is connected to.
    pub fn new() -> Self {
        Self::default()
    }

    /// A connection proved that it holds `key`; it becomes the active one.
    pub fn join(&mut self, key: NodeKey) -> Joined {
        let conn = ConnId(self.next);
        self.next += 1;
        self.generation += 1;
        let connections = &mut self.seats.entry(key).or_default().connections;
        connections.push(conn);
        let evicted = (connections.len() > MAX_CONNECTIONS_PER_KEY).then(|| connections.remove(0));
        self.lines.insert(conn, Line { key, heard: BTreeSet::new(), not_here: Allowance::full() });
        if let Some(evicted) = evicted {
            self.hang_up(evicted);
        }
        Joined { conn, evicted }
    }

    /// `from` sends a packet to `to`; this makes `from` the active connection of its key.
    pub fn send(&mut self, from: ConnId, to: &NodeKey, disco: bool, now_ms: u64) -> Delivery {
        let Some(line) = self.lines.get(&from) else { return Delivery::Stranger };
        let sender = line.key;
        self.activate(&sender, from);
        let Some(target) = self.seats.get(to).and_then(|seat| seat.connections.last()).copied() else {
            let tell = disco && self.lines.get_mut(&from).is_some_and(|line| line.not_here.spend(now_ms));
            return Delivery::NotHere { tell };
        };
        if let (Some(seat), Some(line)) = (self.seats.get_mut(&sender), self.lines.get_mut(&target)) {
            seat.told.insert(target);
            line.heard.insert(sender);
        }
        Delivery::To(target)
    }

    /// A connection ended. If it was the last of its key, those it had sent to get a notice.
    pub fn leave(&mut self, conn: ConnId) -> Vec<Notice> {
        let Some(key) = self.hang_up(conn) else { return Vec::new() };
        self.generation += 1;
        let Some(seat) = self.seats.get_mut(&key) else { return Vec::new() };
        seat.connections.retain(|other| *other != conn);
        if !seat.connections.is_empty() {
            return Vec::new();
        }
        let told = self.seats.remove(&key).map(|seat| seat.told).unwrap_or_default();
        told.into_iter().map(|to| self.notice(to, key)).collect()
    }

    /// A node may not be here any more: all its connections leave at once.
    pub fn close_peer(&mut self, key: &NodeKey) -> Closed {
        let connections = self.seats.get(key).map(|seat| seat.connections.clone()).unwrap_or_default();
        let notices = connections.iter().flat_map(|conn| self.leave(*conn)).collect();
        Closed { connections, notices }
    }

    /// Changes whenever a cached answer of [`Switchboard::send`] may have become wrong.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The keys of those who are connected, in order.
    pub fn keys(&self) -> impl Iterator<Item = &NodeKey> {
        self.seats.keys()
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.lines.len()
    }

    fn activate(&mut self, key: &NodeKey, conn: ConnId) {
        let Some(seat) = self.seats.get_mut(key) else { return };
        if seat.connections.last() == Some(&conn) {
            return;
        }
        seat.connections.retain(|other| *other != conn);
        seat.connections.push(conn);
        self.generation += 1;
    }

    fn hang_up(&mut self, conn: ConnId) -> Option<NodeKey> {
        let line = self.lines.remove(&conn)?;
        for sender in &line.heard {
            if let Some(seat) = self.seats.get_mut(sender) {
                seat.told.remove(&conn);
            }
        }
        Some(line.key)
    }

    fn notice(&mut self, to: ConnId, gone: NodeKey) -> Notice {
        if let Some(line) = self.lines.get_mut(&to) {
            line.heard.remove(&gone);
        }
        Notice { to, gone }
    }
}

/// What a key holds: its connections, the active one last, and the connections that got packets from it.
#[derive(Debug, Default)]
struct Seat {
    connections: Vec<ConnId>,
    told: BTreeSet<ConnId>,
}

/// What a connection holds: whose it is, whom it got packets from, and how often it may ask for strangers.
#[derive(Debug)]
struct Line {
    key: NodeKey,
    heard: BTreeSet<NodeKey>,
    not_here: Allowance,
}

#[derive(Debug)]
struct Allowance {
    left: u64,
    counted_at_ms: Option<u64>,
}

impl Allowance {
    fn full() -> Self {
        Self { left: NOT_HERE_BURST, counted_at_ms: None }
    }

    fn spend(&mut self, now_ms: u64) -> bool {
        let counted_at = *self.counted_at_ms.get_or_insert(now_ms);
        let earned = now_ms.saturating_sub(counted_at) / NOT_HERE_EVERY_MS;
        self.left = self.left.saturating_add(earned).min(NOT_HERE_BURST);
        self.counted_at_ms = Some(counted_at + earned * NOT_HERE_EVERY_MS);
        let granted = self.left > 0;
        self.left = self.left.saturating_sub(1);
        granted
    }
}

#[cfg(test)]
mod tests;
