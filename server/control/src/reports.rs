//! What agents on nodes said last: one report a node, bounded by the nodes that there are, kept over a restart.
//!
//! Not part of the World: nobody's rights hang on it. What becomes of it for others, an acknowledged notice and a change
//! from well to unwell, goes into the log as an event.

mod shelf;
mod token;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use api::agent::{Report, Seen};
use ident::NodeId;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    fanout::Hub,
    store::{Store, StoreError},
};
use shelf::Shelf;
pub use shelf::{News, Unfit};
pub use token::Token;

/// How long a report may wait for the disk.
const WRITE_EVERY: Duration = Duration::from_secs(2);

/// The last report of each node.
pub struct Reports {
    /// Which database this is: another one is another mesh, whatever its keys are.
    pub database: String,
    shelf: Mutex<Shelf>,
    store: Arc<Store>,
    hub: Arc<Hub>,
}

impl Reports {
    /// With those of the last process.
    pub fn open(store: Arc<Store>, hub: Arc<Hub>) -> Result<Self, StoreError> {
        let shelf = Mutex::new(Shelf::new(store.agent_reports()?));
        let database = store.identity()?;
        Ok(Self { database, shelf, store, hub })
    }

    /// Takes a report in the place of the node's last one, cleaned. Says what is new in it.
    pub fn take(&self, node: NodeId, report: Report) -> Result<News, Unfit> {
        let notice = self.hub.notice().0;
        self.shelf().take(node, report, notice.as_deref(), Timestamp::now())
    }

    /// What the node's agent said last.
    pub fn of(&self, node: NodeId) -> Option<Seen> {
        let notice = self.hub.notice().0;
        self.shelf().seen(node, notice.as_deref(), Timestamp::now())
    }

    /// Writes what is new and forgets whose node is gone, until told to stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => true,
                () = tokio::time::sleep(WRITE_EVERY) => false,
            };
            self.write().await;
            if ended {
                return;
            }
        }
    }

    async fn write(&self) {
        let world = self.hub.world();
        let (kept, gone) = self.shelf().unwritten(|node| world.nodes.get(node).is_some());
        if kept.is_empty() && gone.is_empty() {
            return;
        }
        let store = self.store.clone();
        let write = move || store.keep_agent_reports(&kept, &gone).map_err(|e| e.to_string());
        let written = tokio::task::spawn_blocking(write).await.unwrap_or_else(|e| Err(e.to_string()));
        if let Err(error) = written {
            tracing::warn!(error, "what agents reported is not written; a restart forgets it");
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
