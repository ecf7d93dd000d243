//! Reports that are not taken, as problems.

use api::{Problem, code};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};

use crate::quota::Spent;

/// Why a report is not taken.
pub(super) struct Turned(StatusCode, &'static str, String, Option<Spent>);

impl Turned {
    /// Whoever it is has not proved to be a node; which part of the proof fails is not told.
    pub fn stranger() -> Self {
        let detail =
            "a report needs an identity token for exactly this report, of a node that is known and good";
        Self(StatusCode::UNAUTHORIZED, code::UNAUTHORIZED, detail.to_owned(), None)
    }
    /// It is no report.
    pub fn bad(why: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, code::BAD_REQUEST, wire::plain(why), None)
    }
    /// Over the caller's share.
    pub fn too_often(spent: Spent) -> Self {
        let detail = "this caller reports more often than anybody needs to".to_owned();
        Self(StatusCode::TOO_MANY_REQUESTS, code::TOO_OFTEN, detail, Some(spent))
    }
}

impl IntoResponse for Turned {
    fn into_response(self) -> Response {
        let Self(status, code, detail, spent) = self;
        let problem = Problem {
            code: code.to_owned(),
            status: status.as_u16(),
            title: "report not taken".to_owned(),
            detail,
            hint: None,
            errors: Vec::new(),
        };
        let mut response = (status, Json(problem)).into_response();
        let head = response.headers_mut();
        head.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(Spent(wait)) = spent {
            head.insert(header::RETRY_AFTER, (wait.as_secs_f64().ceil().max(1.0) as u64).into());
        }
        response
    }
}
