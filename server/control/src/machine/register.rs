//! `POST /machine/register`.

use std::sync::Arc;

use axum::{Extension, body::Body, extract::State, response::IntoResponse};
use http::{StatusCode, header};
use jiff::Timestamp;
use wire::{Login, RegisterRequest, RegisterResponse, User};
use world::{Answer, Command, Node, Refusal, Registered, Registration, World};

use super::{Machines, Refused, body, decoded, lasting, unsupported};
use crate::{
    doors::Doors,
    ts2021::Caller,
    writer::{Failed, Origin, context},
};

pub(super) async fn register(
    State(machines): State<Arc<Machines>>,
    Extension(caller): Extension<Caller>,
    request: Body,
) -> Result<impl IntoResponse, Refused> {
    let Machines { doors, pace, .. } = &*machines;
    pace.call(doors, caller).await?;
    let body = body(request).await?;
    pace.registration(doors, caller, body.len()).await?;
    let request: RegisterRequest = decoded(&body)?;
    let response = match unsupported(request.version) {
        Some(text) => {
            doors.metrics.registered("unsupported_client");
            RegisterResponse::error(&text)
        }
        None => decide(&machines, caller, request, body.len()).await?,
    };
    let body = wire::encode(&response)
        .map_err(|e| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body))
}

async fn decide(
    Machines { doors, pace, .. }: &Machines,
    caller: Caller,
    request: RegisterRequest,
    bytes: usize,
) -> Result<RegisterResponse, Refused> {
    let Some(node_key) = request.node_key else {
        return Err(Refused::new(StatusCode::BAD_REQUEST, "NodeKey is missing"));
    };
    let logout = request.expiry.is_some_and(|at| at <= Timestamp::now());
    let command = if logout {
        Command::Logout { machine: caller.machine, node_key }
    } else {
        match registration(doors, caller, node_key, request) {
            Ok(registration) => Command::Register(registration),
            Err(refusal) => return Ok(refused(doors, caller, &refusal)),
        }
    };
    let world = doors.hub.world();
    // What is refused already takes no place in the writer's queue; the writer decides for good.
    if let Err(refusal) = world::decide(&world, &command, context()) {
        return Ok(refused(doors, caller, &refusal));
    }
    let known = world.nodes.by_node_key(&node_key).cloned();
    if let (Command::Register(r), Some(node)) = (&command, &known)
        && r.hostinfo != node.hostinfo
    {
        pace.description(doors, caller, bytes).await?;
    }
    let origin =
        Origin { actor: format!("machine:{}", caller.machine), source: caller.remote.ip().to_string() };
    match doors.writer.submit(command, origin).await {
        Ok(done) => {
            doors.metrics.registered(result(done.answer));
            Ok(answered(&doors.hub.world(), done.answer, known.as_deref()))
        }
        Err(Failed::Refused(refusal)) => Ok(refused(doors, caller, &refusal)),
        Err(e @ (Failed::Fault(_) | Failed::Unsure(_) | Failed::Busy)) => {
            doors.metrics.registered("fault");
            Err(e.into())
        }
    }
}

fn registration(
    doors: &Doors,
    caller: Caller,
    node_key: ident::NodeKey,
    request: RegisterRequest,
) -> Result<Registration, Refusal> {
    let presented = request.auth.and_then(|auth| auth.auth_key);
    let proof = match &presented {
        None => None,
        Some(key) => Some(doors.prove(key).ok_or(Refusal::AuthKey("not a key of this server"))?),
    };
    Ok(Registration {
        machine: caller.machine,
        node_key,
        old_node_key: request.old_node_key,
        proof,
        hostinfo: lasting(request.hostinfo.unwrap_or_default()),
        ephemeral: request.ephemeral,
        expiry: request.expiry,
        capver: request.version.0,
    })
}

/// A label of the metrics.
fn result(answer: Answer) -> &'static str {
    match answer {
        Answer::Registered(Registered::Active(_)) => "active",
        Answer::Registered(Registered::KeyExpired) => "key_expired",
        _ => "logged_out",
    }
}

fn answered(world: &World, answer: Answer, known: Option<&Node>) -> RegisterResponse {
    match answer {
        Answer::Registered(Registered::Active(id)) => match world.nodes.get(id) {
            Some(node) => {
                let (user, login) = owner(world, node);
                RegisterResponse::ok(user, login)
            }
            None => RegisterResponse::error("the node was deleted a moment ago"),
        },
        Answer::Registered(Registered::KeyExpired) => {
            let (user, login) = known.map(|node| owner(world, node)).unwrap_or_default();
            RegisterResponse::expired(user, login)
        }
        Answer::Done | Answer::Node(_) | Answer::User(_) | Answer::AuthKey(_) | Answer::ApiKey(_) => {
            RegisterResponse::error("the server misunderstood itself")
        }
    }
}

fn owner(world: &World, node: &Node) -> (User, Login) {
    let profile = netmap::owner_profile(world, node);
    let user = User { id: profile.id.get(), display_name: profile.display_name.clone(), ..User::default() };
    let login = Login {
        id: profile.id.get(),
        provider: "meshctl".into(),
        login_name: profile.login_name,
        display_name: profile.display_name,
        ..Login::default()
    };
    (user, login)
}

/// The client shows the text to its user. A node key that belongs to another machine is answered like an unknown one.
fn refused(doors: &Doors, caller: Caller, refusal: &Refusal) -> RegisterResponse {
    doors.failed(caller.remote.ip(), refusal.code());
    doors.metrics.registered(refusal.code());
    let shown = match refusal {
        Refusal::NodeKeyTaken | Refusal::NotYourNode => &Refusal::AuthRequired,
        other => other,
    };
    let hint = shown.hint().map(|h| format!("; {h}")).unwrap_or_default();
    RegisterResponse::error(&wire::plain(&format!("{shown}{hint}")))
}
