//! Wakes the writer when a deadline of the World has come. What happens then is decided there.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use world::Command;

use crate::{
    fanout::Hub,
    writer::{Origin, Writer},
};

/// A deadline that appears while the timer sleeps is noticed this much later at most.
const LOOK: Duration = Duration::from_millis(500);

/// Runs until told to stop.
pub async fn run(hub: Arc<Hub>, writer: Writer, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let due = hub.world().next_deadline().is_some_and(|at| at <= jiff::Timestamp::now());
        if due && let Err(e) = writer.submit(Command::Tick, Origin::system()).await {
            tracing::warn!(error = %e, "deadlines could not be handled; trying again");
        }
    }
}
