//! Tells when peers change, and when the client itself is gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};
use tailscale::Device;
use tokio::time::{sleep, timeout};

use crate::{node, output};

/// The client offers questions and no subscription, so its answers are compared this often.
const STEP: Duration = Duration::from_millis(200);
/// A part of the client that restarts answers again well within this.
const RESTART: Duration = Duration::from_secs(3);

/// Says `{"event":"peers","peers":{NAME: node or null}}` at once and whenever an answer changes.
pub fn start(device: Arc<Device>, names: Vec<String>, limit: Duration) -> Result<Value> {
    let watched = json!({ "watching": names });
    tokio::spawn(async move {
        let mut told = None;
        loop {
            let peers = ask(&device, &names, limit).await;
            if peers.is_some() && peers != told {
                output::say(&json!({ "event": "peers", "peers": peers }));
                told = peers;
            }
            sleep(STEP).await;
        }
    });
    Ok(watched)
}

/// Returns, with the reason, once the client cannot be asked for its own node any more: its parts have stopped for
/// longer than a restart of one of them takes, or it has had no map for `patience`.
pub async fn gone(device: &Device, patience: Duration) -> String {
    let mut last_good = Instant::now();
    loop {
        let (failure, allowed) = match timeout(patience / 4, device.self_node()).await {
            Ok(Ok(_)) => {
                last_good = Instant::now();
                sleep(STEP).await;
                continue;
            }
            Ok(Err(error)) => (error.to_string(), RESTART),
            Err(_) => ("no answer".to_owned(), patience),
        };
        if last_good.elapsed() >= allowed {
            return format!("no map for {:?}: {failure}", last_good.elapsed());
        }
        sleep(STEP).await;
    }
}

async fn ask(device: &Device, names: &[String], limit: Duration) -> Option<BTreeMap<String, Value>> {
    let mut peers = BTreeMap::new();
    for name in names {
        let peer = timeout(limit, device.peer_by_name(name)).await.ok()?.ok()?;
        peers.insert(name.clone(), peer.as_ref().map_or(Value::Null, node::describe));
    }
    Some(peers)
}
