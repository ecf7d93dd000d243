//! Calls by path, as JSON.

use api::v1::Problem;
use axum::{
    Json,
    body::Body,
    extract::{FromRequestParts, Query, RawPathParams},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Uri, header, request::Parts};
use serde::{Serialize, de::DeserializeOwned};

use super::{super::entry, super::refused::Refused, Answer, input::Input, unfit::Unfit};

/// What was sent.
pub async fn input<I: DeserializeOwned>(parts: &Parts, body: Body) -> Result<I, Unfit> {
    let mut input = Input::default();
    input.body(&entry::whole(body).await?)?;
    let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
    input.texts("query", query.map_err(|e| Unfit::request(e.body_text()))?.0);
    let mut parts = parts.clone();
    let path = RawPathParams::from_request_parts(&mut parts, &()).await;
    let path = path.map_err(|e| Unfit::request(e.body_text()))?;
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

/// Nothing here answers to that path and method.
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
    let status = unfit.status();
    let problem: Problem = unfit.into_problem();
    let mut response = (status, Json(problem)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if status == http::StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
