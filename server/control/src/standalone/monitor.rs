//! Metrics and health of a relay, for this host and nobody else unless configured so.

use std::{fmt, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use jiff::Timestamp;
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, registry::Registry};
use serde::Serialize;

use super::admission::{Gate, Last};
use crate::{
    certificate::Shown,
    monitor::{
        parts::{self, counters, gauge, gauges},
        shown,
    },
    quota::Quota,
    relay::Relay,
};

/// What there is to look at.
pub(super) struct Parts {
    pub(super) relay: Arc<Relay>,
    pub(super) gate: Arc<Gate>,
    pub(super) shown: Arc<Shown>,
    pub(super) strangers: Arc<Quota>,
    pub(super) started: Timestamp,
}

struct Monitor {
    parts: Arc<Parts>,
    registry: Registry,
}

pub(super) fn routes(parts: Parts) -> Router {
    let parts = Arc::new(parts);
    let mut registry = Registry::with_prefix("meshctl");
    registry.register_collector(Box::new(Figures(parts.clone())));
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .fallback(async || (StatusCode::NOT_FOUND, "here are /metrics and /health\n"))
        .with_state(Arc::new(Monitor { parts, registry }))
}

async fn metrics(State(monitor): State<Arc<Monitor>>) -> Response {
    shown(&monitor.registry)
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    control: &'static str,
    certificate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// 200 when newcomers can be let in and would accept the certificate, 503 otherwise.
async fn health(State(monitor): State<Arc<Monitor>>) -> Response {
    let parts = &monitor.parts;
    let (control, why) = match parts.gate.last() {
        _ if parts.gate.is_open() => ("not asked", None),
        Last::Answered => ("pass", None),
        Last::Unknown => ("unknown", None),
        Last::Unanswered(why) => ("fail", Some(why)),
    };
    let good = parts.shown.pair().is_some_and(|pair| pair.is_good_at(Timestamp::now()));
    let certificate = if good { "pass" } else { "fail" };
    let all = good && matches!(control, "pass" | "not asked");
    let status = if all { "pass" } else { "fail" };
    let code = if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(Health { status, control, certificate, why })).into_response()
}

struct Figures(Arc<Parts>);

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figures")
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let (to, Figures(seen)) = (&mut encoder, self);
        parts::process(to, seen.started)?;
        let kinds = [
            ([("kind", "stranger")], seen.strangers.taken() as f64),
            ([("kind", "relay")], seen.relay.connections() as f64),
        ];
        gauges(to, "connections", "Connections that proved nothing yet, relay clients", kinds)?;
        if let Some(pair) = seen.shown.pair() {
            parts::certificate(to, (pair.begins(), pair.expires()))?;
        }
        parts::relay(to, seen.relay.traffic())?;
        let questions = seen.gate.answers().map(|(name, count)| ([("result", name)], count));
        counters(
            to,
            "verify_questions",
            "Questions whether a client may come or stay, by result",
            questions,
        )?;
        gauge(to, "verify_remembered", "Keys that were let in within a day", seen.gate.remembered() as f64)?;
        let answers = seen.gate.is_open() || seen.gate.last() == Last::Answered;
        gauge(to, "verify_answers", "1 while the control server answers", f64::from(u8::from(answers)))
    }
}
