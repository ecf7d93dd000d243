//! The admin listener: `/metrics` for Prometheus and `/health`, for this host and nobody else unless configured so.

mod figures;
mod health;
pub(crate) mod parts;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use prometheus_client::{encoding::text::encode, registry::Registry};

use crate::{doors::Doors, quota::Quota};
use figures::Figures;

/// OpenMetrics 1.0 as text, which Prometheus asks for and reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

struct Monitor {
    doors: Arc<Doors>,
    registry: Registry,
}

/// `strangers` are the connections that have proved nothing yet.
pub fn routes(doors: Arc<Doors>, strangers: Arc<Quota>) -> Router {
    let registry = registry(doors.clone(), strangers);
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health::health))
        .fallback(async || (StatusCode::NOT_FOUND, "here are /metrics and /health\n"))
        .with_state(Arc::new(Monitor { doors, registry }))
}

async fn metrics(State(monitor): State<Arc<Monitor>>) -> Response {
    shown(&monitor.registry)
}

/// Everything that is registered, as Prometheus reads it.
pub(crate) fn shown(registry: &Registry) -> Response {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What is counted as it happens, and what is looked up when somebody asks.
fn registry(doors: Arc<Doors>, strangers: Arc<Quota>) -> Registry {
    let mut all = Registry::with_prefix("meshctl");
    let (sent, stored) = (doors.hub.tally().clone(), doors.writer.tally().clone());
    all.register("map_messages", "Messages to map streams", sent.messages);
    all.register("map_bytes", "Bytes of messages to map streams, packed", sent.bytes);
    all.register("fanout_latency_seconds", "From a change to the message that tells it", sent.latency);
    all.register("events", "Entries written to the event log", stored.events);
    all.register("commit_seconds", "Duration of transactions that stored events", stored.commits);
    all.register("commit_failures", "Transactions that failed; nothing was changed", stored.failures);
    let calls = doors.metrics.clone();
    all.register("registrations", "Requests of devices to register, by result", calls.registrations);
    all.register("api_calls", "Calls of the admin API", calls.calls);
    all.register("api_call_seconds", "Time until the answer of a call began", calls.call_seconds);
    let failures = doors.security.failures().clone();
    all.register("auth_failures", "Strangers' failures, by kind", failures);
    all.register_collector(Box::new(Figures { doors, strangers }));
    all
}
