//! `/verify`: relays elsewhere ask whether a client may use them, with the client's node key.

mod question;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{ConnectInfo, DefaultBodyLimit, State, rejection::BytesRejection},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use http::{StatusCode, header::RETRY_AFTER};
use ident::NodeKey;

use crate::{
    doors::Doors,
    quota::{Party, Rate, Spent},
    revoked,
};
pub use question::{Answer, Question};

/// Official relays send a fifth of that.
const QUESTION_BYTES: usize = 4096;
/// Questions of one household: relays with some thousand clients behind one address.
const EVERY: Duration = Duration::from_millis(5);
const AT_ONCE: u32 = 2000;

struct Desk {
    doors: Arc<Doors>,
    questions: Rate,
}

/// For everybody: the keys are public, too long to be guessed, and nothing else is told.
pub fn routes(doors: Arc<Doors>) -> Router {
    let desk = Desk { doors, questions: Rate::new(EVERY, AT_ONCE) };
    let routes = Router::new().route("/verify", post(verify)).with_state(Arc::new(desk));
    routes.layer(DefaultBodyLimit::max(QUESTION_BYTES))
}

async fn verify(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if let Err(Spent(wait)) = desk.questions.admits(Party::household(remote.ip())) {
        let seconds = wait.as_secs().saturating_add(1).to_string();
        return (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds)], "too many questions\n")
            .into_response();
    }
    let body = match body {
        Ok(body) => body,
        Err(e) => return e.into_response(),
    };
    let question: Question = match serde_json::from_slice(&body) {
        Ok(question) => question,
        Err(_) => {
            return (StatusCode::BAD_REQUEST, "not a JSON object with NodePublic\n").into_response();
        }
    };
    // What is no key is nobody's.
    let key = question.node_public.parse::<NodeKey>();
    let allow = key.is_ok_and(|key| revoked::admits(&desk.doors.hub.world(), &key));
    Json(Answer { allow }).into_response()
}
