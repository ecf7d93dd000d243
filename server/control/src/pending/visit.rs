//! Logins by SSH that a person has to confirm. They do not outlive the process: who logs in asks again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ident::{NodeId, NodeKey};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::Code;

/// As long as somebody who logs in waits for an answer.
const WAITS: Duration = Duration::from_secs(300);
/// In all, to one node, and from one node to another.
const MOST: usize = 1024;
const MOST_TO: usize = 32;
const MOST_BETWEEN: usize = 4;

/// The longest time that a policy may call a confirmation good.
const LONGEST_PERIOD: Duration = Duration::from_secs(168 * 3600);
const MOST_REMEMBERED: usize = 8192;

/// Somebody who wants to log in.
#[derive(Debug)]
pub struct Visit {
    /// What it is called.
    pub code: Code,
    /// The node that they come from.
    pub from: NodeId,
    /// Its key then.
    key: NodeKey,
    /// The node that they log in to, which asks.
    pub to: NodeId,
    /// The user of that node.
    pub user: String,
    until: Instant,
    answer: watch::Sender<Option<bool>>,
}

/// A way that a person has confirmed: from a node with this key, to a node, as a user.
pub type Way = (NodeId, NodeKey, NodeId, String);

/// All who wait, and what was confirmed a while ago.
#[derive(Debug)]
pub struct Visits {
    waits: Duration,
    by_code: Mutex<HashMap<Code, Arc<Visit>>>,
    confirmed: Mutex<HashMap<Way, Instant>>,
}

impl Default for Visits {
    fn default() -> Self {
        Self { waits: WAITS, by_code: Mutex::default(), confirmed: Mutex::default() }
    }
}

impl Visits {
    /// A login begins. None when too many wait.
    pub fn begin(&self, (from, key): (NodeId, NodeKey), to: NodeId, user: &str) -> Option<Arc<Visit>> {
        let mut visits = self.lock();
        let now = Instant::now();
        visits.retain(|_, visit| visit.until > now);
        let to_it = visits.values().filter(|visit| visit.to == to);
        let between = to_it.clone().filter(|visit| visit.from == from).count();
        if visits.len() >= MOST || to_it.count() >= MOST_TO || between >= MOST_BETWEEN {
            return None;
        }
        let user = plain(user);
        let answer = watch::Sender::new(None);
        let visit =
            Arc::new(Visit { code: Code::mint(), from, key, to, user, until: now + self.waits, answer });
        visits.insert(visit.code.clone(), visit.clone());
        Some(visit)
    }

    /// One that waits for an answer.
    pub fn find(&self, code: &Code) -> Option<Arc<Visit>> {
        let visit = self.lock().get(code)?.clone();
        (visit.until > Instant::now() && visit.answer.borrow().is_none()).then_some(visit)
    }

    /// Whether it was confirmed, as soon as that is known. The first to hear it is the last; nobody but the two nodes may ask.
    pub async fn answer(&self, code: &Code, from: NodeId, to: NodeId) -> bool {
        let Some(visit) = self.lock().get(code).cloned() else { return false };
        if (visit.from, visit.to) != (from, to) {
            return false;
        }
        let mut answer = visit.answer.subscribe();
        let known = timeout_at(visit.until, answer.wait_for(Option::is_some)).await;
        let confirmed = matches!(known, Ok(Ok(answer)) if *answer == Some(true));
        self.lock().remove(code).is_some() && confirmed
    }

    /// Whether this way was confirmed no longer ago than that.
    pub fn is_confirmed(&self, way: &Way, within: Duration) -> bool {
        self.remembered().get(way).is_some_and(|at| at.elapsed() < within)
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<Way, Instant>> {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to one that waits. It holds for its way until it is answered anew; of too many such ways all are
    /// forgotten, and people are asked again.
    pub fn decide(&self, visit: &Visit, confirmed: bool) {
        let way = (visit.from, visit.key, visit.to, visit.user.clone());
        let mut remembered = self.remembered();
        remembered.retain(|_, at| at.elapsed() < LONGEST_PERIOD);
        if remembered.len() >= MOST_REMEMBERED {
            remembered.clear();
        }
        match confirmed {
            true => remembered.insert(way, Instant::now()),
            false => remembered.remove(&way),
        };
        drop(remembered);
        visit.answer.send_replace(Some(confirmed));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Code, Arc<Visit>>> {
        self.by_code.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The user of a login as it is shown and compared.
pub fn plain(user: &str) -> String {
    wire::plain(user).chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId::FIRST;

    fn of(id: NodeId) -> (NodeId, NodeKey) {
        (id, NodeKey::from_bytes([7; 32]).unwrap())
    }

    #[tokio::test]
    async fn a_login_is_let_through_once_and_to_those_who_asked() {
        let (visits, b) = (Visits::default(), A.next());
        let visit = visits.begin(of(A), b, "root").unwrap();
        assert!(!visits.answer(&visit.code, b, A).await && !visits.answer(&Code::mint(), A, b).await);
        visits.decide(&visits.find(&visit.code).unwrap(), true);
        assert!(visits.find(&visit.code).is_none(), "it is answered once");
        assert!(visits.answer(&visit.code, A, b).await);
        assert!(!visits.answer(&visit.code, A, b).await, "and heard once");

        let denied = visits.begin(of(A), b, "root").unwrap();
        visits.decide(&denied, false);
        assert!(!visits.answer(&denied.code, A, b).await);
        let visits = Visits { waits: Duration::from_millis(50), ..Visits::default() };
        let silent = visits.begin(of(A), b, "root").unwrap();
        assert!(!visits.answer(&silent.code, A, b).await, "silence is no yes");
    }

    #[tokio::test]
    async fn one_node_cannot_take_all_places() {
        let (visits, b) = (Visits { waits: Duration::from_millis(400), ..Visits::default() }, A.next());
        for _ in 0..MOST_BETWEEN {
            visits.begin(of(A), b, "root").unwrap();
        }
        assert!(visits.begin(of(A), b, "root").is_none());
        assert!(visits.begin(of(b), A, "root").is_some());
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(visits.begin(of(A), b, "root").is_some());
    }
}
