//! Signing in: an API key is exchanged for a session. Signing out.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Form,
    extract::{ConnectInfo, State},
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ident::Secret;
use serde::{Deserialize, Deserializer};
use world::Command;

use super::Rooms;
use crate::{pending::Code, quota::Party, writer::Origin};

#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(deserialize_with = "secret")]
    key: Secret<String>,
    /// The page to go back to.
    back: String,
}

fn secret<'de, D: Deserializer<'de>>(d: D) -> Result<Secret<String>, D::Error> {
    String::deserialize(d).map(Secret::new)
}

pub(super) async fn enter(
    State(rooms): State<Arc<Rooms>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(entry): Form<Entry>,
) -> Response {
    if !rooms.own.sent(&headers) || !rooms.trusted {
        rooms.doors.failed(remote.ip(), "form_of_another_site");
        return rooms.not_from_here();
    }
    if rooms.lobby.tries.admits(Party::household(remote.ip())).is_err() {
        rooms.doors.failed(remote.ip(), "too_many_keys");
        let text = "Too many keys in a short time. Come back in a minute.";
        return rooms.pages.message(StatusCode::TOO_MANY_REQUESTS, "Slow down", text);
    }
    let Some(path) = page(&entry.back) else { return rooms.not_from_here() };
    let key = rooms.doors.api_key(&entry.key).filter(|key| rooms.doors.may_let_in(key.id));
    let Some(credential) = key.map(|key| key.id) else {
        rooms.doors.failed(remote.ip(), "api_key");
        let text = "No API key like this lets anybody in here: it must be known, not expired, not revoked, and have the scope node:write. Go back and try again.";
        return rooms.pages.message(StatusCode::UNAUTHORIZED, "Not signed in", text);
    };
    let origin = Origin { actor: format!("apikey:{credential}"), source: "local".into() };
    let _ = rooms.doors.writer.submit(Command::UsedApiKey { id: credential }, origin).await;
    match rooms.lobby.sessions.begin(credential, rooms.own.secure) {
        Some(cookie) => back(&path, cookie),
        None => {
            let text = "Too many people are signed in.";
            rooms.pages.message(StatusCode::SERVICE_UNAVAILABLE, "Full", text)
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Leave {
    csrf: String,
    back: String,
}

pub(super) async fn leave(
    State(rooms): State<Arc<Rooms>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(form): Form<Leave>,
) -> Response {
    if let Err(answer) = rooms.sender(remote, &headers, &form.csrf) {
        return *answer;
    }
    let Some(path) = page(&form.back) else { return rooms.not_from_here() };
    match rooms.lobby.sessions.end(&headers, rooms.own.secure) {
        Some(cookie) => back(&path, cookie),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A page of these, as this server writes its path; never another address.
fn page(back: &str) -> Option<String> {
    let (kind, code) = back.strip_prefix('/')?.split_once('/')?;
    let code = Code::parse(code).filter(|_| !code.contains('/') && ["register", "ssh"].contains(&kind))?;
    Some(format!("/{kind}/{code}"))
}

fn back(path: &str, cookie: HeaderValue) -> Response {
    let mut response = Redirect::to(path).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_back_to_a_page_of_this_server_and_nowhere_else() {
        let code = "a".repeat(24);
        for kind in ["register", "ssh"] {
            assert_eq!(page(&format!("/{kind}/{code}")), Some(format!("/{kind}/{code}")));
        }
        for bad in [
            "",
            "/",
            "//evil.example/x",
            "https://evil.example/register/x",
            "/register/x",
            "/login/style.css",
        ] {
            assert_eq!(page(bad), None, "{bad}");
        }
        for bad in ["//evil.example/register", "/register/..", "/evil", "register"] {
            assert_eq!(page(&format!("{bad}/{code}")), None, "{bad}");
        }
    }
}
