//! Logins by SSH that a person has to confirm. They do not outlive the process: who logs in asks again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ident::NodeId;
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

/// Somebody who wants to log in.
#[derive(Debug)]
pub struct Visit {
    /// What it is called.
    pub code: Code,
    /// The node that they come from.
    pub from: NodeId,
    /// The node that they log in to, which asks.
    pub to: NodeId,
    /// The user of that node.
    pub user: String,
    until: Instant,
    answer: watch::Sender<Option<bool>>,
}

/// All who wait.
#[derive(Debug)]
pub struct Visits {
    waits: Duration,
    by_code: Mutex<HashMap<Code, Arc<Visit>>>,
}

impl Default for Visits {
    fn default() -> Self {
        Self { waits: WAITS, by_code: Mutex::default() }
    }
}

impl Visits {
    /// A login begins. None when too many wait.
    pub fn begin(&self, from: NodeId, to: NodeId, user: &str) -> Option<Arc<Visit>> {
        let mut visits = self.lock();
        let now = Instant::now();
        visits.retain(|_, visit| visit.until > now);
        let to_it = visits.values().filter(|visit| visit.to == to);
        let between = to_it.clone().filter(|visit| visit.from == from).count();
        if visits.len() >= MOST || to_it.count() >= MOST_TO || between >= MOST_BETWEEN {
            return None;
        }
        let user = wire::plain(user).chars().take(64).collect();
        let answer = watch::Sender::new(None);
        let visit = Arc::new(Visit { code: Code::mint(), from, to, user, until: now + self.waits, answer });
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

    /// The answer to one that waits.
    pub fn decide(&self, visit: &Visit, confirmed: bool) {
        visit.answer.send_replace(Some(confirmed));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Code, Arc<Visit>>> {
        self.by_code.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId::FIRST;

    #[tokio::test]
    async fn a_login_is_let_through_once_and_to_those_who_asked() {
        let (visits, b) = (Visits::default(), A.next());
        let visit = visits.begin(A, b, "root").unwrap();
        assert!(!visits.answer(&visit.code, b, A).await && !visits.answer(&Code::mint(), A, b).await);
        visits.decide(&visits.find(&visit.code).unwrap(), true);
        assert!(visits.find(&visit.code).is_none(), "it is answered once");
        assert!(visits.answer(&visit.code, A, b).await);
        assert!(!visits.answer(&visit.code, A, b).await, "and heard once");

        let denied = visits.begin(A, b, "root").unwrap();
        visits.decide(&denied, false);
        assert!(!visits.answer(&denied.code, A, b).await);
        let visits = Visits { waits: Duration::from_millis(50), ..Visits::default() };
        let silent = visits.begin(A, b, "root").unwrap();
        assert!(!visits.answer(&silent.code, A, b).await, "silence is no yes");
    }

    #[tokio::test]
    async fn one_node_cannot_take_all_places() {
        let (visits, b) = (Visits { waits: Duration::from_millis(400), ..Visits::default() }, A.next());
        for _ in 0..MOST_BETWEEN {
            visits.begin(A, b, "root").unwrap();
        }
        assert!(visits.begin(A, b, "root").is_none());
        assert!(visits.begin(b, A, "root").is_some());
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(visits.begin(A, b, "root").is_some());
    }
}
