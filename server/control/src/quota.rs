//! How much may be held open, in all and by one party, and how often something may be done.

mod calls;
mod rate;

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ident::{ApiKeyId, MachineKey};

pub use calls::CallLimits;
pub use rate::{Rate, Spent};

/// Whose share something counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// An IPv4 address or an IPv6 /64.
    Household(IpAddr),
    /// One connection from this host: a proxy here speaks for everybody, so they share nothing but the whole.
    Local(SocketAddr),
    /// A machine that proved its key.
    Machine(MachineKey),
    /// Whoever brings this API key.
    Key(ApiKeyId),
}

impl Party {
    /// Whoever this connection comes from.
    pub fn at(remote: SocketAddr) -> Self {
        if remote.ip().to_canonical().is_loopback() {
            return Self::Local(remote);
        }
        Self::household(remote.ip())
    }

    /// The same, for what not even a proxy on this host may exceed.
    pub fn household(ip: IpAddr) -> Self {
        Self::Household(match ip.to_canonical() {
            IpAddr::V4(ip) => IpAddr::V4(ip),
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        })
    }
}

/// Counts places.
#[derive(Debug)]
pub struct Quota {
    in_all: usize,
    each: usize,
    taken: Mutex<Taken>,
}

/// Places taken, given back when dropped.
#[derive(Debug)]
pub struct Pass {
    quota: Arc<Quota>,
    party: Party,
    places: usize,
}

impl Quota {
    /// So many places, of which one party may have so many.
    pub fn new(in_all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { in_all, each, taken: Mutex::default() })
    }

    /// One place; `None` when the party has its share, or nothing is left.
    pub fn enter(self: &Arc<Self>, party: Party) -> Option<Pass> {
        let mut pass = self.none(party);
        pass.grow(1).then_some(pass)
    }

    /// A pass for no place yet.
    pub fn none(self: &Arc<Self>, party: Party) -> Pass {
        Pass { quota: self.clone(), party, places: 0 }
    }

    /// How many places are taken.
    pub fn taken(&self) -> usize {
        self.lock().sum
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Takes so many places more, or none of them.
    pub fn grow(&mut self, places: usize) -> bool {
        let mut taken = self.quota.lock();
        let Taken { sum, by } = &mut *taken;
        let mine = by.get(&self.party).copied().unwrap_or_default();
        if places > self.quota.in_all.saturating_sub(*sum) || places > self.quota.each.saturating_sub(mine) {
            return false;
        }
        if places > 0 {
            by.insert(self.party, mine + places);
            *sum += places;
            self.places += places;
        }
        true
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut taken = self.quota.lock();
        taken.sum = taken.sum.saturating_sub(self.places);
        let Some(mine) = taken.by.get_mut(&self.party) else { return };
        *mine = mine.saturating_sub(self.places);
        if *mine == 0 {
            taken.by.remove(&self.party);
        }
    }
}

#[derive(Debug, Default)]
struct Taken {
    sum: usize,
    by: HashMap<Party, usize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Party {
        Party::at(SocketAddr::new(text.parse().unwrap(), 7))
    }

    #[test]
    fn a_household_is_one_party_and_connections_of_this_host_are_many() {
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("192.0.2.1"), at("::ffff:192.0.2.1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
        let [one, other] = [1, 2].map(|port| Party::at(SocketAddr::from(([127, 0, 0, 1], port))));
        assert_ne!(one, other);
    }

    #[test]
    fn one_party_has_a_share_and_gets_it_back() {
        let quota = Quota::new(256, 32);
        let from = |n: u8| quota.enter(at(&format!("2001:db8::{n:x}")));
        let mut passes: Vec<Pass> = (0..32).map(|n| from(n).unwrap()).collect();
        assert!(from(99).is_none());
        assert!(quota.enter(at("2001:db8:0:1::1")).is_some());
        passes.pop();
        passes.push(from(99).unwrap());
        drop(passes);
        let taken = quota.lock();
        assert_eq!((taken.sum, taken.by.len()), (0, 0));
    }

    proptest! {
        #[test]
        fn neither_the_whole_nor_a_share_is_exceeded(steps in prop::collection::vec((0..4_usize, 0..9_usize), 0..80)) {
            let quota = Quota::new(20, 8);
            let mut passes: Vec<Pass> = Vec::new();
            for (who, places) in steps {
                let party = at(&format!("192.0.2.{who}"));
                if places == 0 && !passes.is_empty() {
                    passes.remove(who % passes.len());
                }
                let mine: usize = passes.iter().filter(|p| p.party == party).map(|p| p.places).sum();
                let all: usize = passes.iter().map(|p| p.places).sum();
                let mut pass = quota.none(party);
                let fits = mine + places <= 8 && all + places <= 20;
                prop_assert_eq!(pass.grow(places), fits);
                passes.push(pass);
                let taken: usize = passes.iter().map(|p| p.places).sum();
                prop_assert_eq!(quota.lock().sum, taken);
                prop_assert_eq!(quota.lock().by.values().sum::<usize>(), taken);
            }
            drop(passes);
            prop_assert!(quota.lock().by.is_empty());
        }
    }
}
