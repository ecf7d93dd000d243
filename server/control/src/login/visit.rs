//! The page of a login by SSH that waits to be confirmed.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension, Form,
    extract::{ConnectInfo, Path, State},
    response::Response,
};
use http::{HeaderMap, StatusCode};
use minijinja::context;
use serde::Deserialize;
use world::{Command, Node, World};

use super::{Rooms, session::Session};
use crate::{
    arrival::Proven,
    pending::{Code, Visit},
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
    match rooms.visit(remote, &code) {
        Ok(visit) => rooms.visit_page(StatusCode::OK, &visit, session.as_ref(), ""),
        Err(answer) => *answer,
    }
}

/// The pressed button.
#[derive(Deserialize)]
pub(super) struct Press {
    csrf: String,
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
    let visit = match rooms.visit(remote, &code) {
        Ok(visit) => visit,
        Err(answer) => return *answer,
    };
    let allowed = match press.answer.as_str() {
        "yes" => true,
        "no" => false,
        _ => {
            return rooms.visit_page(
                StatusCode::UNPROCESSABLE_ENTITY,
                &visit,
                Some(&session),
                "Say yes or no.",
            );
        }
    };
    let (from, to, user) = (visit.from, visit.to, visit.user.clone());
    let actor = format!("apikey:{}", session.credential);
    let origin = Origin { actor, source: remote.ip().to_canonical().to_string() };
    match rooms.doors.writer.submit(Command::ConfirmLogin { from, to, user, allowed }, origin).await {
        Ok(_) => {
            rooms.doors.pending.visits.decide(&visit, allowed);
            let said = if allowed { "The login goes on." } else { "The login is refused." };
            rooms.pages.message(StatusCode::OK, said, "You may close this page.")
        }
        Err(Failed::Refused(refusal)) => {
            rooms.visit_page(StatusCode::UNPROCESSABLE_ENTITY, &visit, Some(&session), &refusal.to_string())
        }
        Err(e @ (Failed::Fault(_) | Failed::Unsure(_) | Failed::Busy)) => {
            tracing::error!(error = %e, "a login could not be confirmed");
            let trouble = "The server could not store this. Try again.";
            rooms.visit_page(StatusCode::SERVICE_UNAVAILABLE, &visit, Some(&session), trouble)
        }
    }
}

impl Rooms {
    pub(super) fn visit(&self, remote: SocketAddr, code: &str) -> Result<Arc<Visit>, Box<Response>> {
        self.looked(remote)?;
        let visit = Code::parse(code).and_then(|code| self.doors.pending.visits.find(&code));
        visit.ok_or_else(|| {
            self.doors.failed(remote.ip(), "login_code");
            let text = "No login waits with this code: it was answered, or it waited for five minutes.";
            Box::new(self.pages.message(StatusCode::NOT_FOUND, "Nobody waits here", text))
        })
    }

    fn visit_page(
        &self,
        status: StatusCode,
        visit: &Visit,
        session: Option<&Session>,
        trouble: &str,
    ) -> Response {
        let world = self.doors.hub.world();
        let name =
            |id| world.nodes.get(id).map_or("a node that is gone".to_owned(), |node| told(&world, node));
        let values = context! {
            trouble => trouble,
            back => format!("/ssh/{}", visit.code),
            from => name(visit.from),
            to => name(visit.to),
            user => visit.user.as_str(),
            ..self.standing(&world, session)
        };
        self.pages.render(status, "visit.html", values)
    }
}

fn told(world: &World, node: &Node) -> String {
    format!("{} ({})", world.fqdn(node).trim_end_matches('.'), super::page::whose(world, node))
}
