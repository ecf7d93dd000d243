//! `POST /machine/answer/ID`: a client answers what it was asked in its map stream.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Path, State},
};
use http::StatusCode;

use super::{Machines, Refused, body};
use crate::ts2021::Caller;

/// Only the machine that was asked can answer, and only while somebody waits; all others learn nothing of it.
pub(super) async fn answer(
    State(machines): State<Arc<Machines>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    request: Body,
) -> Result<StatusCode, Refused> {
    let Machines { doors, pace, .. } = &*machines;
    pace.call(doors, caller).await?;
    let answer = body(request).await?;
    match doors.calls.answer(&id, caller.machine, answer) {
        true => Ok(StatusCode::OK),
        false => Err(Refused::new(StatusCode::NOT_FOUND, "nobody waits for this answer")),
    }
}
