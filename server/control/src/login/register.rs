//! The page of a device that waits, and the button that lets it in.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension, Form,
    extract::{ConnectInfo, Path, State},
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use world::{Command, NewOwner};

use super::{Rooms, session::Session};
use crate::{
    arrival::Proven,
    pending::{Code, Login},
    quota::Party,
    writer::{Failed, Origin},
};

pub(super) async fn show(
    State(rooms): State<Arc<Rooms>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    proven: Option<Extension<Proven>>,
    headers: HeaderMap,
    Path(code): Path<String>,
) -> Response {
    let session = rooms.visitor(&headers, proven);
    match rooms.login(remote, &code) {
        Ok(login) => rooms.device(StatusCode::OK, &login, session.as_ref(), ""),
        Err(answer) => *answer,
    }
}

/// The pressed button.
#[derive(Deserialize)]
pub(super) struct Press {
    csrf: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    answer: String,
}

pub(super) async fn answer(
    State(rooms): State<Arc<Rooms>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Path(code): Path<String>,
    Form(press): Form<Press>,
) -> Response {
    let session = match rooms.sender(remote, &headers, &press.csrf) {
        Ok(session) => session,
        Err(answer) => return *answer,
    };
    let login = match rooms.login(remote, &code) {
        Ok(login) => login,
        Err(answer) => return *answer,
    };
    if press.answer == "no" {
        return rooms.deny(remote, &session, &login).await;
    }
    let again = |status, trouble: &str| rooms.device(status, &login, Some(&session), trouble);
    let Some(owner) = owner(&press.owner) else {
        return again(StatusCode::UNPROCESSABLE_ENTITY, "Say whose device it is.");
    };
    let doors = &rooms.doors;
    let command = match doors.pending.approval(&code, owner) {
        Ok(command) => command,
        Err(refusal) => return again(StatusCode::UNPROCESSABLE_ENTITY, &refusal.to_string()),
    };
    match doors.writer.submit(command, origin(remote, &session)).await {
        Ok(_) => {
            doors.pending.look();
            Redirect::to(&format!("/register/{}", login.code)).into_response()
        }
        Err(Failed::Refused(refusal)) => {
            let hint = refusal.hint().map(|hint| format!(": {hint}")).unwrap_or_default();
            again(StatusCode::UNPROCESSABLE_ENTITY, &format!("{refusal}{hint}"))
        }
        Err(e @ (Failed::Fault(_) | Failed::Unsure(_) | Failed::Busy)) => {
            tracing::error!(error = %e, "a device could not be let in");
            again(
                StatusCode::SERVICE_UNAVAILABLE,
                "The server could not store this; look before you try again.",
            )
        }
    }
}

fn origin(remote: SocketAddr, session: &Session) -> Origin {
    let actor = format!("apikey:{}", session.credential);
    Origin { actor, source: remote.ip().to_canonical().to_string() }
}

/// `same`, `user:ID`, `role:NAME`.
fn owner(text: &str) -> Option<NewOwner> {
    match text.split_once(':') {
        None if text == "same" => Some(NewOwner::Same),
        Some(("user", id)) => id.parse().ok().map(NewOwner::User),
        Some(("role", name)) if !name.is_empty() => Some(NewOwner::Role(name.to_owned())),
        _ => None,
    }
}

impl Rooms {
    /// Refuses the device, which is told so.
    async fn deny(&self, remote: SocketAddr, session: &Session, login: &Login) -> Response {
        let command = Command::DenyLogin { login: login.registration() };
        let again = |status, trouble: &str| self.device(status, login, Some(session), trouble);
        match self.doors.writer.submit(command, origin(remote, session)).await {
            Ok(_) => {
                self.doors.pending.deny(&login.code);
                let text = "The device is told so, and not waited for any more. You may close this page.";
                self.pages.message(StatusCode::OK, "Refused", text)
            }
            Err(Failed::Refused(refusal)) => again(StatusCode::UNPROCESSABLE_ENTITY, &refusal.to_string()),
            Err(e @ (Failed::Fault(_) | Failed::Unsure(_) | Failed::Busy)) => {
                tracing::error!(error = %e, "a device could not be refused");
                again(StatusCode::SERVICE_UNAVAILABLE, "The server could not store this. Try again.")
            }
        }
    }

    /// The session of these headers, while its API key opens anything.
    pub(super) fn signed_in(&self, headers: &HeaderMap) -> Option<Session> {
        let session = self.lobby.sessions.of(headers, self.own.secure)?;
        (self.trusted && self.doors.may_let_in(session.credential)).then_some(session)
    }

    /// The same of who looks at a page. The connection of somebody who is signed in is no stranger's any more.
    pub(super) fn visitor(&self, headers: &HeaderMap, proven: Option<Extension<Proven>>) -> Option<Session> {
        let session = self.signed_in(headers)?;
        if let Some(Extension(Proven(proven))) = proven {
            proven.cancel();
        }
        Some(session)
    }

    /// Who sent a form of a page that was made for the same session; everybody else is told to go.
    pub(super) fn sender(
        &self,
        remote: SocketAddr,
        headers: &HeaderMap,
        csrf: &str,
    ) -> Result<Session, Box<Response>> {
        if !self.own.sent(headers) {
            self.doors.failed(remote.ip(), "form_of_another_site");
            return Err(Box::new(self.not_from_here()));
        }
        let session = self.signed_in(headers).ok_or_else(|| {
            let text = "You are not signed in, or no longer. Open the device's page again and sign in.";
            Box::new(self.pages.message(StatusCode::UNAUTHORIZED, "Not signed in", text))
        })?;
        if !session.wrote(csrf) {
            self.doors.failed(remote.ip(), "form_of_another_session");
            return Err(Box::new(self.not_from_here()));
        }
        Ok(session)
    }

    pub(super) fn not_from_here(&self) -> Response {
        let own = &self.doors.config().server_url;
        let text = format!(
            "This form does not come from a page of {own} that was made for you. Nothing was changed. Open the page by that address and try again."
        );
        self.pages.message(StatusCode::FORBIDDEN, "Refused", &text)
    }

    /// Who looks at many pages is slowed down.
    pub(super) fn looked(&self, remote: SocketAddr) -> Result<(), Box<Response>> {
        if self.lobby.looks.admits(Party::at(remote)).is_err() {
            self.doors.failed(remote.ip(), "too_many_pages");
            let text = "Too many pages in a short time. Come back in a minute.";
            let slow = self.pages.message(StatusCode::TOO_MANY_REQUESTS, "Slow down", text);
            return Err(Box::new(slow));
        }
        Ok(())
    }

    /// The device that a page is about.
    pub(super) fn login(&self, remote: SocketAddr, code: &str) -> Result<Arc<Login>, Box<Response>> {
        self.looked(remote)?;
        let login = Code::parse(code).and_then(|code| self.doors.pending.find(&code));
        login.ok_or_else(|| {
            self.doors.failed(remote.ip(), "login_code");
            let text = "No device waits with this code. A device waits for 15 minutes: if yours still does, it shows another URL by now.";
            Box::new(self.pages.message(StatusCode::NOT_FOUND, "Nobody waits here", text))
        })
    }
}
