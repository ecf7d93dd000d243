//! Calls by path, as JSON.

use axum::{
    Json,
    body::Body,
    extract::{FromRequestParts, Query, RawPathParams},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Uri, header, request::Parts};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    super::{entry, refused::Refused, told::json},
    Answer,
    input::Input,
    unfit::Unfit,
};

/// What was sent.
pub async fn input<I: DeserializeOwned>(parts: &Parts, body: Body) -> Result<I, Unfit> {
    let mut input = Input::default();
    input.body(&entry::whole(body).await?)?;
    let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
    let query = query.map_err(|e| Unfit::member("query", Value::Null, e.body_text()))?;
    input.texts("query", query.0);
    let mut parts = parts.clone();
    let path = RawPathParams::from_request_parts(&mut parts, &()).await;
    let path = path.map_err(|e| Unfit::member("path", Value::Null, e.body_text()))?;
    let texts = path.iter().map(|(name, text)| (name.to_owned(), text.to_owned()));
    input.texts("path", texts.collect());
    input.read()
}

/// What is answered.
pub fn answer<O: Serialize>(outcome: Answer<O>) -> Response {
    match outcome {
        Ok(answer) => Json(answer).into_response(),
        Err(unfit) => refusal(unfit),
    }
}

/// The same, where it was written already.
pub fn written(outcome: Answer<Vec<u8>>) -> Response {
    outcome.map_or_else(refusal, json)
}

/// Something here answers to that path, and not to that method.
pub async fn wrong_method() -> Response {
    refusal(Refused::wrong_method().into())
}

/// Nothing here answers to that path.
pub async fn no_such_call(uri: Uri) -> Response {
    let empty = uri.path().ends_with('/') || uri.path().contains("//");
    if empty {
        return refusal(Unfit::member("path", uri.path().into(), "a part of it is empty"));
    }
    refusal(Refused::no_such_operation().into())
}

/// Nobody is let in here.
pub async fn in_clear() -> Response {
    refusal(Refused::in_clear().into())
}

fn refusal(unfit: Unfit) -> Response {
    let (status, mut head) = (unfit.status(), HeaderMap::new());
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(refused) = unfit.refused() {
        refused.tell(&mut head);
    }
    let mut response = (status, Json(unfit.into_problem())).into_response();
    response.headers_mut().extend(head);
    response
}
