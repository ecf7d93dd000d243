//! Connections that have not said hello yet: how many there may be, in all and from one source.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

const MAX_STRANGERS: usize = 256;
const MAX_STRANGERS_PER_SOURCE: usize = 32;

/// Counts the strangers at the door.
#[derive(Debug, Default)]
pub(super) struct Door {
    strangers: Mutex<HashMap<IpAddr, usize>>,
}

/// A place at the door, given back when dropped.
#[derive(Debug)]
pub(super) struct Pass {
    door: Arc<Door>,
    source: IpAddr,
}

impl Door {
    /// A place for one more stranger; `None` when the source or the whole door has its quota.
    pub(super) fn enter(self: &Arc<Self>, ip: IpAddr) -> Option<Pass> {
        let source = source(ip);
        let mut strangers = self.lock();
        if strangers.values().sum::<usize>() >= MAX_STRANGERS {
            return None;
        }
        let here = strangers.entry(source).or_default();
        if *here >= MAX_STRANGERS_PER_SOURCE {
            return None;
        }
        *here += 1;
        Some(Pass { door: Arc::clone(self), source })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut strangers = self.door.lock();
        let Some(here) = strangers.get_mut(&self.source) else { return };
        *here = here.saturating_sub(1);
        if *here == 0 {
            strangers.remove(&self.source);
        }
    }
}

/// One household: an IPv4 address or an IPv6 /64.
fn source(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_has_a_quota_and_gets_it_back() {
        let door = Arc::new(Door::default());
        let from = |n: u8| door.enter(format!("2001:db8::{n:x}").parse().unwrap());
        let mut passes: Vec<Pass> = (0..32).map(|n| from(n).unwrap()).collect();
        assert!(from(99).is_none());
        assert!(door.enter("2001:db8:0:1::1".parse().unwrap()).is_some());
        passes.pop();
        passes.push(from(99).unwrap());
        drop(passes);
        assert!(door.lock().is_empty());
    }

    #[test]
    fn the_door_has_a_quota() {
        let door = Arc::new(Door::default());
        let from = |n: usize| door.enter(format!("10.0.{}.{}", n / 256, n % 256).parse().unwrap());
        let passes: Vec<Pass> = (0..256).map(|n| from(n).unwrap()).collect();
        assert!(from(256).is_none());
        drop(passes);
        assert!(from(256).is_some());
    }
}
