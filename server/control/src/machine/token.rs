//! `POST /machine/id-token`: a client fetches a proof of which node it is, for the agent beside it.

use std::sync::Arc;

use api::agent::AUDIENCE;
use axum::{Extension, Json, body::Body, extract::State};
use http::StatusCode;
use wire::{TokenRequest, TokenResponse};

use super::{Machines, Refused, body, decoded};
use crate::{reports::Token, ts2021::Caller};

/// The node must be the caller's own, and good. Tokens for anybody else's use are not given: nobody else could check them.
pub(super) async fn token(
    State(machines): State<Arc<Machines>>,
    Extension(caller): Extension<Caller>,
    request: Body,
) -> Result<Json<TokenResponse>, Refused> {
    let Machines { doors, pace, .. } = &*machines;
    pace.call(doors, caller).await?;
    let request = body(request).await?;
    pace.update(doors, caller, request.len()).await?;
    let request: TokenRequest = decoded(&request)?;
    let world = doors.hub.world();
    let named = request.node_key.and_then(|key| world.nodes.by_node_key(&key));
    let Some(node) = named.filter(|node| node.machine == caller.machine && node.accepted()) else {
        doors.failed(caller.remote.ip(), "not_your_node");
        return Err(Refused::not_yours());
    };
    let digest = request.audience.strip_prefix(AUDIENCE);
    if !digest.is_some_and(|d| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit())) {
        let text = "identity tokens are for reports of meshctl's agent only";
        return Err(Refused::new(StatusCode::BAD_REQUEST, text));
    }
    let (url, database) = (&doors.config().server_url, &doors.reports.database);
    let id_token = Token::of(node, &request.audience, url, database).signed(&doors.keyring);
    Ok(Json(TokenResponse { id_token }))
}
