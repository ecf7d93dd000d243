//! The policy in force, how another one takes its place, and those before it.

mod history;
mod roster;
mod widening;

use api::{
    Changed,
    policy::{CHECK, Edit, GET, Policy, SET, Text, Verdict},
};
use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use jiff::Timestamp;
use policy::PolicyErrors;
use world::{Command, Prepared};

use super::{
    Routes,
    call::Call,
    refused::{Refused, mistakes},
    serve, serve_raw,
};

/// How often an edit that names no base is tried anew when another one was faster.
const TRIES: usize = 5;

pub(super) fn add(routes: Routes) -> Routes {
    let routes = serve_raw(routes, GET.declared(), get);
    let routes = serve(routes, &SET, set);
    let routes = serve(routes, &CHECK, check);
    history::add(routes)
}

async fn get(call: Call, (): ()) -> Result<Response, Refused> {
    let policy = in_force(&call).await?;
    let tag = HeaderValue::from_str(&format!("\"{}\"", policy.etag)).map_err(|e| Refused::fault(&e))?;
    Ok(([(header::ETAG, tag)], Json(policy)).into_response())
}

pub(super) async fn set(call: Call, input: Edit) -> Result<Changed<Policy>, Refused> {
    let text = input.policy.clone();
    let prepared = prepare(&call, text).await?.map_err(|e| Refused::policy(&e))?;
    let is_first = history::newest(&call).await?.is_none();
    let base = base(&call, &input)?;
    let mut world = call.world.clone();
    for left in (0..TRIES).rev() {
        if base.as_deref().is_some_and(|base| base != "*" && base != etag(world.policy.policy.text())) {
            return Err(world::Refusal::PolicyChanged.into());
        }
        if !input.accept_widening && !is_first {
            widening::refuse(&world, &prepared).await?;
        }
        let message = input.message.clone().unwrap_or_default();
        let command =
            Command::ReplacePolicy { over: world.policy.clone(), prepared: prepared.clone(), message };
        match call.carry_out(command).await {
            Err(refused) if refused.code() == world::Refusal::PolicyChanged.code() && left > 0 => {
                world = call.doors.hub.world();
            }
            Err(refused) => return Err(refused),
            Ok(outcome) => {
                let newest = history::newest(&call).await?;
                let version = newest.filter(|_| !call.is_check());
                let policy = Policy {
                    etag: etag(&input.policy),
                    policy: input.policy,
                    updated: version.as_ref().and_then(|v| v.at.parse().ok()),
                    version: version.map(|v| v.version),
                };
                return Ok(call.answer(outcome.changed, policy));
            }
        }
    }
    Err(world::Refusal::PolicyChanged.into())
}

pub(super) async fn check(call: Call, input: Text) -> Result<Verdict, Refused> {
    Ok(match prepare(&call, input.policy).await? {
        Ok(_) => Verdict { valid: true, errors: Vec::new() },
        Err(errors) => Verdict { valid: false, errors: mistakes(&errors) },
    })
}

/// When the policy came into force; none when none was ever set.
pub(super) async fn updated(call: &Call) -> Result<Option<Timestamp>, Refused> {
    Ok(history::newest(call).await?.and_then(|version| version.at.parse().ok()))
}

pub(super) async fn in_force(call: &Call) -> Result<Policy, Refused> {
    let text = call.world.policy.policy.text();
    let newest = history::newest(call).await?;
    let policy = if newest.is_some() { text.to_owned() } else { String::new() };
    Ok(Policy {
        policy,
        updated: newest.as_ref().and_then(|version| version.at.parse().ok()),
        version: newest.map(|version| version.version),
        etag: etag(text),
    })
}

/// Names a text.
fn etag(text: &str) -> String {
    hex::encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

/// Which policy was edited, as the input or the header says.
fn base(call: &Call, input: &Edit) -> Result<Option<String>, Refused> {
    let bare = |text: &str| text.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    let (input, header) = (input.if_match.as_deref().map(bare), call.if_match.as_deref().map(bare));
    match (input, header) {
        (Some(a), Some(b)) if a != b => {
            Err(Refused::bad_request("if_match and the header If-Match name different policies"))
        }
        (a, b) => Ok(a.or(b)),
    }
}

/// Compiling and the policy's own tests take their time; that is not taken from the threads that serve.
async fn prepare(call: &Call, text: String) -> Result<Result<Prepared, PolicyErrors>, Refused> {
    let world = call.world.clone();
    let prepare = move || {
        let prepared = Prepared::parse(&text)?;
        world.try_policy(&prepared.policy)?;
        Ok(prepared)
    };
    tokio::task::spawn_blocking(prepare).await.map_err(|e| Refused::fault(&e))
}
