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

/// The pages. Without `trusted` nobody can sign in: others could read the API key on the way.
pub fn routes(doors: Arc<Doors>, server_url: &str, trusted: bool) -> Router {
    let millis = Duration::from_millis;
    let rooms = Rooms {
        own: Own::of(server_url),
        sessions: Sessions::new(doors.keyring.clone()),
        pages: Pages::default(),
        looks: Rate::new(millis(200), 100),
        tries: Rate::new(millis(2000), 10),
        trusted,
        doors,
    };
    Router::new()
        .route("/register/{code}", get(register::show).post(register::approve))
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
    sessions: Sessions,
    pages: Pages,
    /// Codes that one household looks at.
    looks: Rate,
    /// Keys that one household tries.
    tries: Rate,
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
