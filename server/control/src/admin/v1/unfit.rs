//! Refusals of this interface: ours, and those that name what was sent.

use api::v1::{Place, Problem};
use http::StatusCode;
use serde_json::Value;
use world::Refusal;

use super::super::refused::Refused;
use crate::{store::StoreError, writer::Failed};

/// Why a call is not answered.
#[derive(Debug)]
pub struct Unfit(Box<Words>);

#[derive(Debug)]
struct Words {
    status: StatusCode,
    title: String,
    detail: String,
    place: Option<Place>,
    /// What it says in our own words, if it was said there.
    refused: Option<Refused>,
}

impl Unfit {
    /// A member of what was sent is not what the call takes.
    pub fn member(location: &str, value: Value, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut unfit = Self::request(format!("{location}: {message}"));
        unfit.0.place = Some(Place { message, location: location.to_owned(), value: short(value) });
        unfit
    }
    /// What was sent is not what the call takes.
    pub fn request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "not understood", detail.into())
    }
    /// headscale has it and this server has not.
    pub fn not_here(detail: &str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "not served here", detail.to_owned())
    }
    fn new(status: StatusCode, title: &str, detail: String) -> Self {
        Self(Box::new(Words { status, title: title.to_owned(), detail, place: None, refused: None }))
    }
    /// With these words before the detail.
    pub fn behind(mut self, words: &str) -> Self {
        self.0.detail.insert_str(0, words);
        self
    }
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }
    /// The refusal of ours that it is.
    pub fn refused(&self) -> Option<&Refused> {
        self.0.refused.as_ref()
    }
    /// What is told of it.
    pub fn into_problem(self) -> Problem {
        let Words { status, title, detail, place, .. } = *self.0;
        Problem {
            title,
            status: status.as_u16(),
            code: grpc_code(status),
            message: detail.clone(),
            detail,
            errors: place.into_iter().collect(),
            details: Vec::new(),
        }
    }
}

/// What is told back of a value: texts to some length, and of lists and objects only that they are.
fn short(value: Value) -> Value {
    match value {
        Value::String(text) => text.chars().take(100).collect::<String>().into(),
        Value::Array(_) => "[…]".into(),
        Value::Object(_) => "{…}".into(),
        plain => plain,
    }
}

/// The code of gRPC that says the same as the status of HTTP.
fn grpc_code(status: StatusCode) -> i32 {
    match status.as_u16() {
        400 | 422 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        409 => 6,
        412 => 9,
        413 | 429 | 507 => 8,
        405 | 501 => 12,
        503 => 14,
        _ => 13,
    }
}

impl From<Refused> for Unfit {
    fn from(refused: Refused) -> Self {
        let problem = refused.problem();
        let mut detail = problem.detail.clone();
        for mistake in &problem.errors {
            let (line, column) = (mistake.line, mistake.column);
            detail.push_str(&format!("; line {line}, column {column}: {}", mistake.message));
        }
        if let Some(hint) = &problem.hint {
            detail.push_str(&format!(" ({hint})"));
        }
        let mut unfit = Self::new(refused.status(), &problem.title, detail);
        unfit.0.refused = Some(refused);
        unfit
    }
}

impl From<Refusal> for Unfit {
    fn from(refusal: Refusal) -> Self {
        Refused::from(refusal).into()
    }
}

impl From<StoreError> for Unfit {
    fn from(e: StoreError) -> Self {
        Refused::from(e).into()
    }
}

impl From<Failed> for Unfit {
    fn from(failed: Failed) -> Self {
        Refused::from(failed).into()
    }
}
