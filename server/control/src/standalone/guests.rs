//! Keys that the control server has let in, and until when they may come back without its word.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use ident::NodeKey;
use tokio::time::Instant;

/// How long a word of the control server is good while it cannot be asked.
const GOOD_FOR: Duration = Duration::from_secs(24 * 3600);
/// More keys than any mesh has; the longest silent one makes room.
const MOST: usize = 1 << 16;

/// Bounded in number and in time.
#[derive(Debug, Default)]
pub(super) struct Guests(HashMap<NodeKey, Guest>);

#[derive(Debug, Clone, Copy)]
struct Guest {
    from: IpAddr,
    at: Instant,
}

impl Guests {
    /// The control server has let it in at this moment.
    pub(super) fn welcome(&mut self, key: NodeKey, from: IpAddr, now: Instant) {
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            self.0.retain(|_, guest| now.duration_since(guest.at) < GOOD_FOR);
            let oldest = self.0.iter().min_by_key(|(_, guest)| guest.at).map(|(key, _)| *key);
            if let Some(oldest) = oldest.filter(|_| self.0.len() >= MOST) {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(key, Guest { from, at: now });
    }

    /// The control server does not let it in any more.
    pub(super) fn forget(&mut self, key: &NodeKey) {
        self.0.remove(key);
    }

    /// Whether its last word on the key was good, and not too long ago.
    pub(super) fn knows(&self, key: &NodeKey, now: Instant) -> bool {
        self.0.get(key).is_some_and(|guest| now.duration_since(guest.at) < GOOD_FOR)
    }

    /// Where it came from.
    pub(super) fn source(&self, key: &NodeKey) -> Option<IpAddr> {
        self.0.get(key).map(|guest| guest.from)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn key(n: u32) -> NodeKey {
        let mut bytes = [1; 32];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        NodeKey::from_bytes(bytes).unwrap()
    }

    #[test]
    fn a_word_is_good_for_a_day_or_until_another_one() {
        let (mut guests, now) = (Guests::default(), Instant::now());
        guests.welcome(key(1), HERE, now);
        guests.welcome(key(2), HERE, now);
        assert!(guests.knows(&key(1), now) && !guests.knows(&key(3), now));
        guests.forget(&key(2));
        assert!(!guests.knows(&key(2), now));
        assert!(guests.knows(&key(1), now + GOOD_FOR - Duration::from_secs(1)));
        assert!(!guests.knows(&key(1), now + GOOD_FOR));
    }

    #[test]
    fn there_are_never_too_many_and_the_oldest_goes() {
        let (mut guests, begin) = (Guests::default(), Instant::now());
        let most = MOST as u32;
        for n in 0..most + 3 {
            guests.welcome(key(n), HERE, begin + Duration::from_millis(n.into()));
        }
        let now = begin + Duration::from_secs(600);
        assert_eq!(guests.len(), MOST);
        assert!(
            !guests.knows(&key(2), now) && guests.knows(&key(3), now) && guests.knows(&key(most + 2), now)
        );
    }
}
