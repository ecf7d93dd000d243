//! Refusals and faults as problems of the API.

use std::fmt::Display;

use api::{Mistake, Problem, code};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ident::Scope;
use policy::PolicyErrors;
use world::Refusal;

use crate::{calls::NoAnswer, config::NotReloaded, quota::Spent, store::StoreError, writer::Failed};

/// Why a call is not answered.
#[derive(Debug)]
pub struct Refused(Box<Problem>, Option<Spent>);

impl Refused {
    /// No credential, or one that opens nothing; which of the two is not told.
    pub fn unauthorized() -> Self {
        let detail = "this call needs an API key that is known, not revoked and not expired";
        Self::new(StatusCode::UNAUTHORIZED, code::UNAUTHORIZED, "not let in", detail)
    }
    /// The credential may do other things.
    pub fn lacks(scope: Option<Scope>) -> Self {
        let detail = match scope {
            Some(scope) => format!("this call needs the scope {scope}, which the API key does not hold"),
            None => "no API key opens this call".to_owned(),
        };
        let mut refused = Self::new(StatusCode::FORBIDDEN, code::LACKS_SCOPE, "not allowed", detail);
        refused.0.hint =
            scope.map(|s| format!("make a key that does with `meshctl apikey create --scope {s}`"));
        refused
    }
    /// Over the caller's share.
    pub fn too_often(spent: Spent) -> Self {
        let detail = "this caller calls more often than anybody needs to";
        let mut refused = Self::new(StatusCode::TOO_MANY_REQUESTS, code::TOO_OFTEN, "too often", detail);
        refused.0.hint = Some("the header Retry-After says in how many seconds to come back".into());
        refused.1 = Some(spent);
        refused
    }
    /// Something here answers to that path, and not to that method. Whoever routes says in `Allow` to which.
    pub fn wrong_method() -> Self {
        let detail = "an operation of this API has that path, and none of them that method";
        let mut refused =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, code::WRONG_METHOD, "wrong method", detail);
        refused.0.hint = Some("the header Allow names the methods that the path takes".into());
        refused
    }
    /// Nothing here answers to that path.
    pub fn no_such_operation() -> Self {
        let detail = "no operation of this API has that path";
        Self::new(StatusCode::NOT_FOUND, code::NO_SUCH_OPERATION, "no such operation", detail)
    }
    /// There is no such thing.
    pub fn not_found(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code::NOT_FOUND, "not found", detail)
    }
    /// The request is not what the operation takes.
    pub fn bad_request(why: impl Display) -> Self {
        let detail = why.to_string().replace('\n', " ");
        Self::new(StatusCode::BAD_REQUEST, code::BAD_REQUEST, "not understood", detail)
    }
    /// It does not go with what is the case.
    pub fn conflict(code: &str, detail: impl Display) -> Self {
        Self::new(StatusCode::CONFLICT, code, "in conflict", detail.to_string())
    }
    /// With what to do next, where that is known.
    pub fn hinted(mut self, hint: Option<String>) -> Self {
        self.0.hint = hint;
        self
    }
    /// The body is over the limit.
    pub fn too_large(limit: usize) -> Self {
        let detail = format!("the body was cut short or is longer than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, code::TOO_LARGE, "too large", detail)
    }
    /// The policy's text has mistakes.
    pub fn policy(errors: &PolicyErrors) -> Self {
        let mut refused: Self = Refusal::Policy(errors.clone()).into();
        refused.0.errors = mistakes(errors);
        refused
    }
    /// Somebody would gain something, and nobody said that this is meant.
    pub fn widens(detail: String, gains: Vec<Mistake>) -> Self {
        let mut refused =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, code::WIDENS_ACCESS, "wider than before", detail);
        refused.0.hint = Some(
            "`meshctl policy diff live FILE` shows all of it; --accept-widening says that it is meant".into(),
        );
        refused.0.errors = gains;
        refused
    }
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
    /// What goes with it in the head of the answer.
    pub fn tell(&self, head: &mut HeaderMap) {
        head.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(Spent(wait)) = self.1 {
            let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
            head.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            head.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
    }
    /// What is told of it.
    pub fn problem(&self) -> &Problem {
        &self.0
    }
    /// Whether it is a decision about somebody who was let in, and neither a slip of the pen nor a fault.
    pub fn is_decision(&self) -> bool {
        matches!(self.0.status, 403 | 409 | 422)
    }
    /// The stable code.
    pub fn code(&self) -> &str {
        &self.0.code
    }
    /// Ours; what exactly is for the log.
    pub fn fault(cause: &dyn Display) -> Self {
        tracing::error!(%cause, "a call of the admin API failed");
        let detail = "the server could not do it; nothing was changed, its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code::FAULT, "failed", detail)
    }

    /// Ours: what is not in the event log is not done.
    fn not_stored(cause: &dyn Display) -> Self {
        tracing::error!(%cause, "a call of the admin API could not be stored");
        let detail = "the server cannot write its event log; nothing was changed, its own log says why";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, "not now", detail)
    }
    /// Ours; somebody has to make room.
    fn full() -> Self {
        let detail = "the server's disk is full; nothing was changed";
        let mut refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, "no room", detail);
        refused.0.hint = Some("make room on the disk of its data folder, then try again".into());
        refused
    }
    /// The credential came over a way on which others can read it.
    pub fn in_clear() -> Self {
        let detail = "the admin API is not served over plain HTTP on an address that others can reach";
        let mut refused = Self::new(StatusCode::FORBIDDEN, code::IN_CLEAR, "not over plain HTTP", detail);
        let hint = "use https (`tls` in the server's configuration), or the local socket on the server; revoke an API key that was sent this way";
        refused.0.hint = Some(hint.into());
        refused
    }

    fn new(status: StatusCode, code: &str, title: &str, detail: impl Into<String>) -> Self {
        let problem = Problem {
            code: code.to_owned(),
            status: status.as_u16(),
            title: title.to_owned(),
            detail: detail.into(),
            hint: None,
            errors: Vec::new(),
        };
        Self(Box::new(problem), None)
    }
}

/// A policy's mistakes with their places.
pub fn mistakes(errors: &PolicyErrors) -> Vec<Mistake> {
    let mistake = |e: &policy::PolicyError| Mistake {
        line: e.line,
        column: e.column,
        message: e.message.clone(),
        hint: e.hint.clone(),
    };
    errors.iter().map(mistake).collect()
}

impl From<NotReloaded> for Refused {
    fn from(why: NotReloaded) -> Self {
        let detail = format!("{why}; nothing was changed");
        let mut refused =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, code::BAD_CONFIG, "not reloaded", detail);
        let said = |message: String, hint| Mistake { line: 0, column: 0, message, hint };
        match why {
            NotReloaded::Mistakes(mistakes) => {
                refused.0.errors = mistakes.iter().map(|m| said(m.to_string(), None)).collect();
            }
            NotReloaded::Unusable(lines) => {
                refused.0.errors = lines.into_iter().map(|line| said(line, None)).collect();
            }
            NotReloaded::Fixed(_) => {
                refused.0.hint = Some("put it back, or restart the server".into());
            }
            NotReloaded::Failed(_) => {
                refused.0.status = StatusCode::SERVICE_UNAVAILABLE.as_u16();
                refused.0.code = code::UNAVAILABLE.to_owned();
            }
        }
        refused
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let (status, title) = match refusal {
            Refusal::NotFound { .. } => (StatusCode::NOT_FOUND, "not found"),
            Refusal::Exists { .. }
            | Refusal::InUse { .. }
            | Refusal::ApprovedByPolicy { .. }
            | Refusal::LastAdmin
            | Refusal::PolicyChanged => (StatusCode::CONFLICT, "in conflict"),
            Refusal::WiderThanCaller { .. } => (StatusCode::FORBIDDEN, "not allowed"),
            _ => (StatusCode::UNPROCESSABLE_ENTITY, "refused"),
        };
        let mut refused = Self::new(status, refusal.code(), title, refusal.to_string());
        refused.0.hint = refusal.hint();
        refused
    }
}

impl From<NoAnswer> for Refused {
    fn from(why: NoAnswer) -> Self {
        let (status, code) = match why {
            NoAnswer::NotConnected => (StatusCode::CONFLICT, code::NOT_CONNECTED),
            NoAnswer::Busy => (StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE),
            NoAnswer::Late => (StatusCode::GATEWAY_TIMEOUT, code::NO_ANSWER),
        };
        let mut refused = Self::new(status, code, "no answer", why.to_string());
        refused.0.hint = Some(match why {
            NoAnswer::NotConnected => "`meshctl node list` shows when it was last connected".into(),
            NoAnswer::Busy => "try again in a moment".into(),
            NoAnswer::Late => "it hangs, or its network is gone and the connection is not yet cut".into(),
        });
        refused
    }
}

impl From<StoreError> for Refused {
    fn from(e: StoreError) -> Self {
        Self::fault(&e)
    }
}

impl From<Failed> for Refused {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused(refusal) => refusal.into(),
            Failed::Fault(cause) if cause.is_full() => Self::full(),
            Failed::Fault(cause) => Self::not_stored(&cause),
            Failed::Unsure(_) => {
                let detail = "the server failed while it stored this: it may have been done or not";
                let mut refused =
                    Self::new(StatusCode::SERVICE_UNAVAILABLE, code::OUTCOME_UNKNOWN, "nobody knows", detail);
                refused.0.hint = Some("look before you repeat it; the server's log says why".into());
                refused
            }
            Failed::Busy => {
                let detail = failed.to_string();
                let mut refused =
                    Self::new(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, "not now", detail);
                refused.0.hint = Some("try again in a moment".into());
                refused
            }
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut head = HeaderMap::new();
        self.tell(&mut head);
        let mut response = (status, Json(self.0)).into_response();
        response.headers_mut().extend(head);
        response
    }
}
