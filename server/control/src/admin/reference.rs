//! What the interface says of itself, to anybody: the OpenAPI document, and the same as a page to browse.

mod page;

use std::sync::OnceLock;

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use http::header;

/// The page has its own style and nothing else: no script, nothing from elsewhere, in no frame.
const CSP: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const STYLE: &str = include_str!("../../static/reference.css");

/// Needs no credential.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/api/openapi.json", get(async || plain("application/json", api::OPENAPI)))
        .route("/api/docs/style.css", get(async || plain("text/css; charset=utf-8", STYLE)))
        .route("/api/docs", get(async || plain("text/html; charset=utf-8", page())))
}

fn plain(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}

fn page() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| page::rendered(&serde_json::from_str(api::OPENAPI).unwrap_or_default()))
}
