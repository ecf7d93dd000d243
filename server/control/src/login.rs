//! Pages on which a person looks at a device that waits and lets it in, or at a login by SSH and confirms it.
//!
//! They work without script. Nothing of them is made from what the request says of this server, no GET changes anything,
//! and every form is answered only when it comes from a page of this server and of this session.

mod guard;
mod page;
mod register;
mod session;
mod sign_in;
mod visit;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderValue, header};

use crate::{doors::Doors, quota::Rate};
use guard::Own;
use page::Pages;
use session::Sessions;

/// A form is a key and a choice.
const LONGEST_FORM: usize = 8 << 10;
const STYLE: &str = include_str!("../templates/login/style.css");
/// No script, no frame, no other site; forms go nowhere else.
const ONLY_OWN: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What the pages remember of those who come, for as long as the process lives.
#[derive(Debug, Clone)]
pub struct Lobby {
    sessions: Arc<Sessions>,
    /// Codes that one household looks at.
    looks: Arc<Rate>,
    /// Keys that one household tries.
    tries: Arc<Rate>,
}

impl Lobby {
    /// Nobody has come yet.
    pub fn new(doors: &Doors) -> Self {
        let millis = Duration::from_millis;
        Self {
            sessions: Arc::new(Sessions::new(doors.keyring.clone())),
            looks: Arc::new(Rate::new(millis(200), 100)),
            tries: Arc::new(Rate::new(millis(2000), 10)),
        }
    }
}

/// The pages. Without `trusted` nobody can sign in: others could read the API key on the way.
pub fn routes(doors: Arc<Doors>, lobby: &Lobby, server_url: &str, trusted: bool) -> Router {
    let (own, pages) = (Own::of(server_url), Pages::default());
    let rooms = Rooms { own, lobby: lobby.clone(), pages, trusted, doors };
    Router::new()
        .route("/register/{code}", get(register::show).post(register::answer))
        .route("/ssh/{code}", get(visit::show).post(visit::answer))
        .route("/login", post(sign_in::enter))
        .route("/login/end", post(sign_in::leave))
        .route("/login/style.css", get(style))
        .layer(DefaultBodyLimit::max(LONGEST_FORM))
        .layer(middleware::map_response(guarded))
        .with_state(Arc::new(rooms))
}

/// What the pages need.
struct Rooms {
    doors: Arc<Doors>,
    own: Own,
    lobby: Lobby,
    pages: Pages,
    trusted: bool,
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, ONLY_OWN),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // A form that is sent without any referrer would not say where it comes from either.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
