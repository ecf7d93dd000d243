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
use crate::{quota::Party, writer::Origin};

#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(deserialize_with = "secret")]
    key: Secret<String>,
    /// The device to go back to.
    code: String,
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
    if rooms.tries.admits(Party::household(remote.ip())).is_err() {
        rooms.doors.failed(remote.ip(), "too_many_keys");
        let text = "Too many keys in a short time. Come back in a minute.";
        return rooms.pages.message(StatusCode::TOO_MANY_REQUESTS, "Slow down", text);
    }
    let login = match rooms.login(remote, &entry.code) {
        Ok(login) => login,
        Err(answer) => return *answer,
    };
    let Some(credential) = rooms.doors.door_key(&entry.key) else {
        rooms.doors.failed(remote.ip(), "api_key");
        return rooms.device(
            StatusCode::UNAUTHORIZED,
            &login,
            None,
            "This is no API key that may let devices in.",
        );
    };
    let origin = Origin { actor: format!("apikey:{credential}"), source: "local".into() };
    let _ = rooms.doors.writer.submit(Command::UsedApiKey { id: credential }, origin).await;
    match rooms.sessions.begin(credential, rooms.own.secure) {
        Some(cookie) => back(&format!("/register/{}", login.code), cookie),
        None => {
            let text = "Too many people are signed in.";
            rooms.pages.message(StatusCode::SERVICE_UNAVAILABLE, "Full", text)
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Leave {
    csrf: String,
    code: String,
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
    let login = match rooms.login(remote, &form.code) {
        Ok(login) => login,
        Err(answer) => return *answer,
    };
    match rooms.sessions.end(&headers, rooms.own.secure) {
        Some(cookie) => back(&format!("/register/{}", login.code), cookie),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn back(path: &str, cookie: HeaderValue) -> Response {
    let mut response = Redirect::to(path).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}
