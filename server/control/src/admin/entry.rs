//! Who may call: the local socket's peer, or whoever brings a credential. Then: what was said, within bounds.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use api::{CheckQuery, DEFAULT_TAILNET, Declared, Method};
use axum::{
    body::Body,
    extract::{ConnectInfo, Query, Request, rejection::QueryRejection},
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Uri, header, request::Parts};
use http_body_util::BodyExt;
use ident::{ApiKeyId, Secret};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use world::{ApiKey, Command};

use super::{call::Call, refused::Refused};
use crate::{
    arrival::{LocalPeer, Proven},
    doors::{Doors, covers},
    writer::Origin,
};

/// The longest policy with a backslash before every other character of its JSON, and what goes with it.
const LONGEST_BODY: usize = 2 * policy::MAX_BYTES + (64 << 10);
/// Who is still sending does not hear an answer: so much is read although it is too long.
const LONGEST_HEARD: usize = 16 * LONGEST_BODY;
const BODY_WITHIN: Duration = Duration::from_secs(30);
/// How far the last use of a credential may lag.
const USED_EVERY_SECONDS: i64 = 10;

/// Lets a request in as a call with its input.
pub async fn enter<I: DeserializeOwned>(
    operation: Declared,
    doors: Arc<Doors>,
    names: Result<Vec<(String, String)>, Refused>,
    request: Request,
) -> Result<(Call, I), Refused> {
    let (parts, body) = request.into_parts();
    let (origin, credential) = admit(&operation, &doors, &parts).await?;
    let mut names = names?.into_iter().map(|(_, value)| value);
    if names.next().is_none_or(|tailnet| tailnet != DEFAULT_TAILNET) {
        return Err(Refused::not_found("there is no such tailnet here"));
    }
    let name = names.next().unwrap_or_default();
    if operation.method == Method::Get {
        let input = from_query(&parts.uri)?;
        let mut call = Call::new(doors, origin, credential, name, false);
        let last =
            parts.headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default().parse::<u64>());
        call.last_event = last.transpose().map_err(Refused::bad_request)?;
        return Ok((call, input));
    }
    let Query(CheckQuery { check }) = Query::try_from_uri(&parts.uri).map_err(Refused::bad_request)?;
    let body = whole(body).await?;
    let mut call = Call::new(doors, origin, credential, name, check);
    // A body may take its time, and the credential may be void by then.
    if !call.is_welcome() {
        return Err(Refused::unauthorized());
    }
    let body: &[u8] = if body.is_empty() { b"null" } else { &body };
    let input = from_body(body)?;
    call.if_match = if_match(&parts.headers)?;
    Ok((call, input))
}

/// Who calls this operation, if they may.
pub async fn admit(
    operation: &Declared,
    doors: &Doors,
    parts: &Parts,
) -> Result<(Origin, Option<ApiKeyId>), Refused> {
    let (origin, credential) = caller(doors, parts).await?;
    let Some(key) = credential else { return Ok((origin, None)) };
    doors.limits.key(key.id).map_err(Refused::too_often)?;
    if covers(&key, operation) {
        return Ok((origin, Some(key.id)));
    }
    let refused = Refused::lacks(operation.scope());
    note(doors, *operation, &refused, origin, Some(key.id)).await;
    Err(refused)
}

async fn caller(doors: &Doors, parts: &Parts) -> Result<(Origin, Option<Arc<ApiKey>>), Refused> {
    if let Some(peer) = parts.extensions.get::<LocalPeer>() {
        return Ok((Origin { actor: format!("socket:uid={}", peer.uid), source: "local".into() }, None));
    }
    let remote = parts.extensions.get::<ConnectInfo<SocketAddr>>().ok_or_else(Refused::unauthorized)?.0;
    let Some(key) = credential(doors, &parts.headers).await else { return Err(stranger(doors, remote)) };
    if let Some(Proven(proven)) = parts.extensions.get() {
        proven.cancel();
    }
    Ok((Origin { actor: format!("apikey:{}", key.id), source: remote.ip().to_string() }, Some(key)))
}

/// A whole body, if it comes in time and is not too long.
pub async fn whole(body: Body) -> Result<Bytes, Refused> {
    timeout(BODY_WITHIN, within(LONGEST_BODY, body)).await.map_err(Refused::bad_request)?
}

async fn within(longest: usize, mut body: Body) -> Result<Bytes, Refused> {
    let (mut whole, mut heard) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refused::too_large(longest))?.into_data() else { continue };
        heard += data.len();
        if heard <= longest {
            whole.extend_from_slice(&data);
        } else if heard > LONGEST_HEARD {
            break;
        }
    }
    if heard > longest { Err(Refused::too_large(longest)) } else { Ok(whole.freeze()) }
}

/// What was edited, as the caller says.
pub fn if_match(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let if_match = headers.get(header::IF_MATCH).map(|value| value.to_str());
    Ok(if_match.transpose().map_err(Refused::bad_request)?.map(str::to_owned))
}

/// A call without a good credential; a good one is never refused for the others of its household.
fn stranger(doors: &Doors, remote: SocketAddr) -> Refused {
    if let Err(spent) = doors.limits.stranger(remote) {
        doors.failed(remote.ip(), "too_many_calls");
        return Refused::too_often(spent);
    }
    doors.failed(remote.ip(), "api_key");
    Refused::unauthorized()
}

/// Puts a refusal into the event log, within the caller's share. It was refused whether that can be stored or not.
pub async fn note(
    doors: &Doors,
    operation: Declared,
    refused: &Refused,
    origin: Origin,
    by: Option<ApiKeyId>,
) {
    let Some(left_out) = doors.limits.note(by) else { return };
    let command = Command::NoteRefusal {
        noun: operation.noun,
        operation: format!("{} {}", operation.method, operation.path),
        code: refused.code().to_owned(),
        left_out,
    };
    let _ = doors.writer.submit(command, origin).await;
}

/// Whether the credential opens anything now.
pub fn is_good(doors: &Doors, id: ApiKeyId) -> bool {
    doors.good_key(id).is_some()
}

async fn credential(doors: &Doors, headers: &HeaderMap) -> Option<Arc<ApiKey>> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    let key = doors.api_key(&Secret::new(text.to_owned()))?;
    let stale = |at: Timestamp| Timestamp::now().as_second() - at.as_second() >= USED_EVERY_SECONDS;
    if key.last_used.is_none_or(stale) {
        let id = key.id;
        let origin = Origin { actor: format!("apikey:{id}"), source: "local".into() };
        let _ = doors.writer.submit(Command::UsedApiKey { id }, origin).await;
    }
    Some(key)
}

/// A refusal names the member that is wrong.
fn from_body<I: DeserializeOwned>(body: &[u8]) -> Result<I, Refused> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let input = serde_path_to_error::deserialize(&mut json).map_err(Refused::bad_request)?;
    json.end().map_err(Refused::bad_request)?;
    Ok(input)
}

fn from_query<I: DeserializeOwned>(uri: &Uri) -> Result<I, Refused> {
    if uri.query().is_none_or(str::is_empty) {
        let nothing = serde_json::from_str("null").or_else(|_| serde_json::from_str("{}"));
        return nothing.map_err(Refused::bad_request);
    }
    Query::try_from_uri(uri).map(|q| q.0).map_err(|e| in_query(uri, &e))
}

/// A refusal names the member of the query that is wrong; where nothing is taken, that is any.
fn in_query(uri: &Uri, why: &QueryRejection) -> Refused {
    let (query, why) = (uri.query().unwrap_or_default(), why.body_text());
    let first = query.split(['=', '&']).next().unwrap_or_default();
    if why.contains("0 elements") {
        Refused::bad_request(format!("no query is taken here: `{first}`"))
    } else {
        Refused::bad_request(why)
    }
}
