//! Asks again about those who are connected, spread over the period; whoever may not stay any more is cut.

use std::{sync::Arc, time::Duration};

use futures_util::stream::{self, StreamExt};
use ident::NodeKey;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::admission::{Gate, Last};
use crate::relay::Relay;

/// Questions that are open at once.
const AT_ONCE: usize = 8;
/// Between two of them, however many clients there are; then a round takes longer than its period.
const AT_LEAST: Duration = Duration::from_millis(10);
/// The next round, when there are no answers.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// What each waits in addition while there are no answers.
const NO_ANSWER: Duration = Duration::from_secs(1);

/// Round after round, until told to stop.
pub(super) async fn run(gate: Arc<Gate>, relay: Arc<Relay>, every: Duration, stop: CancellationToken) {
    let rounds = async {
        let nobody = NodeKey::from_bytes(relay.public_key());
        loop {
            let begun = Instant::now();
            if let Ok(nobody) = nobody {
                gate.try_out(nobody).await;
            }
            round(&gate, relay.keys(), (begun, every)).await;
            let is_away = matches!(gate.last(), Last::Unanswered(_));
            sleep_until(begun + if is_away { every.min(TRY_AGAIN) } else { every }).await;
        }
    };
    stop.run_until_cancelled(rounds).await;
}

async fn round(gate: &Arc<Gate>, keys: Vec<NodeKey>, (begun, every): (Instant, Duration)) {
    let pace = (every / u32::try_from(keys.len() + 1).unwrap_or(u32::MAX)).max(AT_LEAST);
    let turns = (1u32..).zip(keys);
    let ask = |(turn, key)| async move {
        sleep_until(begun + pace.saturating_mul(turn)).await;
        if matches!(gate.last(), Last::Unanswered(_)) {
            sleep(NO_ANSWER).await;
        }
        gate.ask_again(key).await;
    };
    stream::iter(turns).for_each_concurrent(AT_ONCE, ask).await;
}

/// Cuts whoever the gate does not let in any more.
pub(super) async fn cut(
    relay: Arc<Relay>,
    mut keys: mpsc::UnboundedReceiver<NodeKey>,
    stop: CancellationToken,
) {
    let cut = async {
        while let Some(key) = keys.recv().await {
            relay.cut(&key);
        }
    };
    stop.run_until_cancelled(cut).await;
}
