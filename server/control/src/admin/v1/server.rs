//! The server itself.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use api::v1::server::{Ask, HEALTH, Health, Version};
use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use tokio::sync::Mutex;

use super::{super::Routes, super::call::Call, Answer, serve};
use crate::{doors::Doors, store::Store};

pub(super) fn add(routes: Routes) -> Routes {
    serve(routes, &HEALTH, health)
}

/// `/version` and `/health`, for everybody.
pub fn open(doors: Arc<Doors>) -> Router {
    let version = async || Json(Version::of(env!("CARGO_PKG_VERSION")));
    let pulse = Arc::new(Pulse { doors, last: Mutex::new(None) });
    Router::new().route("/version", get(version)).route("/health", get(alive)).with_state(pulse)
}

async fn health(call: Call, _: Ask) -> Answer<Health> {
    Ok(Health { database_connectivity: call.history(Store::head_seq).await.is_ok() })
}

/// The database is asked for strangers this often at most.
const ASK_EVERY: Duration = Duration::from_secs(1);

struct Pulse {
    doors: Arc<Doors>,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Pulse {
    async fn is_there(&self) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = *last
            && at.elapsed() < ASK_EVERY
        {
            return answer;
        }
        let store = self.doors.store.clone();
        let answer = tokio::task::spawn_blocking(move || store.head_seq().is_ok()).await.unwrap_or(false);
        *last = Some((Instant::now(), answer));
        answer
    }
}

async fn alive(State(pulse): State<Arc<Pulse>>) -> Response {
    let (status, word) = match pulse.is_there().await {
        true => (StatusCode::OK, "pass"),
        false => (StatusCode::INTERNAL_SERVER_ERROR, "fail"),
    };
    let body = format!("{{\"status\":\"{word}\"}}\n");
    (status, [(header::CONTENT_TYPE, "application/health+json")], body).into_response()
}
