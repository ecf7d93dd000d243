//! What is looked up when somebody asks for the metrics.

use std::{fmt, sync::Arc};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::parts::{gauge, gauges};
use crate::{doors::Doors, monitor::parts, quota::Quota};

/// Reads the parts of a running server.
pub(super) struct Figures {
    pub(super) doors: Arc<Doors>,
    pub(super) strangers: Arc<Quota>,
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figures")
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        parts::process(&mut encoder, self.doors.started)?;
        self.mesh(&mut encoder)?;
        self.connections(&mut encoder)?;
        let shown = self.doors.certificate.as_ref().and_then(|certificate| certificate.shown().pair());
        if let Some(pair) = shown {
            parts::certificate(&mut encoder, (pair.begins(), pair.expires()))?;
        }
        match &self.doors.relay {
            Some(relay) => parts::relay(&mut encoder, relay.traffic()),
            None => Ok(()),
        }
    }
}

impl Figures {
    fn mesh(&self, to: &mut DescriptorEncoder) -> fmt::Result {
        let (hub, world) = (&self.doors.hub, self.doors.hub.world());
        let online = world.nodes.iter().filter(|n| n.online()).count();
        let offline = world.nodes.len() - online;
        let nodes = [([("state", "online")], online as f64), ([("state", "offline")], offline as f64)];
        gauges(to, "nodes", "Devices", nodes)?;
        gauge(to, "users", "People", world.users.len() as f64)?;
        let classes = world.classes.len() as f64;
        gauge(to, "viewer_classes", "Groups of nodes that every rule treats alike", classes)?;
        let window = hub.window().as_secs_f64();
        gauge(to, "fanout_window_seconds", "How long news that are not urgent wait", window)
    }

    fn connections(&self, to: &mut DescriptorEncoder) -> fmt::Result {
        let relay = self.doors.relay.as_ref().map_or(0, |r| r.connections());
        let kinds = [
            ([("kind", "stranger")], self.strangers.taken() as f64),
            ([("kind", "stream")], self.doors.hub.streams() as f64),
            ([("kind", "relay")], relay as f64),
        ];
        gauges(to, "connections", "Connections that proved nothing yet, map streams, relay clients", kinds)
    }
}
