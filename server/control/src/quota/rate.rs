//! How often something may be done: so many at once, and so many a second in the long run.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Party;

/// Parties that are remembered at once. Each is forgotten when its share is whole again, so only a storm gets here.
const MOST: usize = 1 << 16;
const FEW: usize = 1 << 10;
const SWEEP_EVERY: Duration = Duration::from_millis(100);

/// A share for each party; whole in the beginning.
#[derive(Debug)]
pub struct Rate {
    every: Duration,
    /// What the whole share takes to come back.
    whole: Duration,
    hold: Duration,
    debts: Mutex<Debts>,
}

/// When the share of a party is whole again; none for those who have it all.
#[derive(Debug)]
struct Debts {
    until: HashMap<Party, Instant>,
    /// Looked through again when there are so many, and not before that time.
    swept_at: usize,
    swept_after: Option<Instant>,
}

/// The party has had its share; there is something again after that long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent(pub Duration);

impl Rate {
    /// One `every` so often, and up to `burst` at once.
    pub fn new(every: Duration, burst: u32) -> Self {
        let debts = Debts { until: HashMap::new(), swept_at: FEW, swept_after: None };
        Self { every, whole: every * burst, hold: Duration::ZERO, debts: Mutex::new(debts) }
    }

    /// Whoever has to wait no longer than this is held that long and not refused.
    pub fn holding(self, hold: Duration) -> Self {
        Self { hold, ..self }
    }

    /// Takes one, at once or after a while. One that nobody waits for any more is not taken.
    pub async fn turn(&self, party: Party) -> Result<(), Spent> {
        let wait = self.take(party, Instant::now())?;
        if wait.is_zero() {
            return Ok(());
        }
        let mut waiting = Waiting { rate: self, party, done: false };
        tokio::time::sleep(wait).await;
        waiting.done = true;
        Ok(())
    }

    /// Takes one at once, or not at all.
    pub fn admits(&self, party: Party) -> Result<(), Spent> {
        match self.take(party, Instant::now())? {
            Duration::ZERO => Ok(()),
            wait => {
                self.give_back(party);
                Err(Spent(wait))
            }
        }
    }

    /// How long one has to wait who asks at this moment.
    fn take(&self, party: Party, now: Instant) -> Result<Duration, Spent> {
        let mut debts = self.lock();
        let until = debts.of(party, now)? + self.every;
        let wait = until.saturating_duration_since(now + self.whole);
        if wait > self.hold {
            return Err(Spent(wait - self.hold));
        }
        debts.until.insert(party, until);
        Ok(wait)
    }

    fn give_back(&self, party: Party) {
        let mut debts = self.lock();
        let Some(until) = debts.until.get_mut(&party) else { return };
        *until = until.checked_sub(self.every).unwrap_or(*until);
    }

    fn lock(&self) -> MutexGuard<'_, Debts> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debts {
    fn of(&mut self, party: Party, now: Instant) -> Result<Instant, Spent> {
        if let Some(until) = self.until.get(&party) {
            return Ok(now.max(*until));
        }
        if self.until.len() >= self.swept_at && self.swept_after.is_none_or(|at| at <= now) {
            self.until.retain(|_, until| *until > now);
            self.swept_at = (self.until.len() * 2).clamp(FEW, MOST);
            self.swept_after = Some(now + SWEEP_EVERY);
        }
        if self.until.len() < MOST { Ok(now) } else { Err(Spent(Duration::from_secs(1))) }
    }
}

struct Waiting<'a> {
    rate: &'a Rate,
    party: Party,
    done: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.rate.give_back(self.party);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn party(n: u32) -> Party {
        Party::household(Ipv4Addr::from(n).into())
    }

    #[test]
    fn a_share_is_spent_comes_back_and_is_ones_own() {
        let (rate, now) = (Rate::new(SECOND, 3), Instant::now());
        for _ in 0..3 {
            assert_eq!(rate.take(party(1), now), Ok(Duration::ZERO));
        }
        assert_eq!(rate.take(party(1), now), Err(Spent(SECOND)));
        assert_eq!(rate.take(party(2), now), Ok(Duration::ZERO));
        assert_eq!(rate.take(party(1), now + SECOND), Ok(Duration::ZERO));
        assert!(rate.take(party(1), now + SECOND).is_err());
        for _ in 0..3 {
            assert!(rate.take(party(1), now + 9 * SECOND).is_ok());
        }
        assert!(rate.take(party(1), now + 9 * SECOND).is_err(), "no more than the whole is saved up");
    }

    #[test]
    fn who_may_wait_is_held_in_the_order_of_asking() {
        let (rate, now) = (Rate::new(SECOND, 1).holding(2 * SECOND), Instant::now());
        let waits: Vec<_> = (0..4).map(|_| rate.take(party(1), now)).collect();
        assert_eq!(waits, [Ok(Duration::ZERO), Ok(SECOND), Ok(2 * SECOND), Err(Spent(SECOND))]);
    }

    #[tokio::test]
    async fn who_stops_waiting_has_taken_nothing() {
        let long = Duration::from_millis(300);
        let rate = Rate::new(long, 1).holding(long);
        rate.turn(party(1)).await.unwrap();
        for _ in 0..10 {
            let given_up = tokio::time::timeout(Duration::from_millis(1), rate.turn(party(1))).await;
            assert!(!given_up.is_ok_and(|turn| turn.is_err()), "refused after others gave up");
        }
        tokio::time::timeout(SECOND, rate.turn(party(1))).await.unwrap().unwrap();
    }

    #[test]
    fn parties_whose_share_is_whole_are_forgotten() {
        let (rate, mut now) = (Rate::new(SECOND, 5), Instant::now());
        for n in 0..200_000 {
            rate.take(party(n), now).unwrap();
            now += Duration::from_millis(1);
            assert!(rate.lock().until.len() <= 4096, "{}", rate.lock().until.len());
        }
        let most = MOST as u32;
        let storm: Vec<_> = (0..2 * most).map(|n| rate.take(party(n), now).is_ok()).collect();
        assert_eq!(rate.lock().until.len(), MOST);
        assert!(!storm.last().unwrap());
        assert!(rate.take(party(7), now + 9 * SECOND).is_ok());
    }

    proptest! {
        #[test]
        fn in_any_stretch_of_time_nobody_gets_more_than_burst_and_rate(
            steps in prop::collection::vec((0..3_u32, 0..3000_u64), 1..200),
            burst in 1..9_u32,
        ) {
            let (rate, begin) = (Rate::new(SECOND, burst), Instant::now());
            let (mut now, mut taken) = (begin, Vec::new());
            for (who, millis) in steps {
                now += Duration::from_millis(millis);
                if rate.take(party(who), now).is_ok() {
                    taken.push((who, now));
                }
            }
            for (who, from) in &taken {
                for (_, to) in taken.iter().filter(|(other, to)| other == who && to >= from) {
                    let got = taken.iter().filter(|(w, at)| w == who && at >= from && at <= to).count();
                    let most = u64::from(burst) + (*to - *from).as_secs() + 1;
                    prop_assert!(got as u64 <= most, "{got} of {most}");
                }
            }
        }
    }
}
