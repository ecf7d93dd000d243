//! `/health`: whether the server decides and remembers, tried and not assumed.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Serialize;
use tokio::time::timeout;
use world::Command;

use super::Monitor;
use crate::{doors::Doors, store::Store, writer::Origin};

const WITHIN: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Health {
    status: &'static str,
    writer: &'static str,
    database: &'static str,
}

/// 200 when the writer decides and the database reads within two seconds, 503 otherwise.
pub(super) async fn health(State(monitor): State<Arc<Monitor>>) -> Response {
    let (writer, database) = tokio::join!(writer(&monitor.doors), database(&monitor.doors));
    let word = |good| if good { "pass" } else { "fail" };
    let all = writer && database;
    let health = Health { status: word(all), writer: word(writer), database: word(database) };
    let status = if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health)).into_response()
}

/// A tick changes nothing that would not change by itself.
async fn writer(doors: &Doors) -> bool {
    let tick = doors.writer.submit(Command::Tick, Origin::system());
    timeout(WITHIN, tick).await.is_ok_and(|done| done.is_ok())
}

async fn database(doors: &Doors) -> bool {
    let store = doors.store.clone();
    let read = tokio::task::spawn_blocking(move || Store::head_seq(&store));
    timeout(WITHIN, read).await.is_ok_and(|joined| joined.is_ok_and(|read| read.is_ok()))
}
