//! What a refusal looks like: the members of RFC 9457 that we use, a stable code and what to do next.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Codes of the surface itself; those of decisions are named where the decisions are.
pub mod code {
    /// No credential, or one that opens nothing.
    pub const UNAUTHORIZED: &str = "unauthorized";
    /// The credential is good and does not hold the scope.
    pub const LACKS_SCOPE: &str = "lacks_scope";
    /// More often than anybody needs to; the header Retry-After says when to come back.
    pub const TOO_OFTEN: &str = "too_often";
    /// The path is ours and does not take the method; the header Allow names those that it takes.
    pub const WRONG_METHOD: &str = "wrong_method";
    /// The path or the content type is not ours.
    pub const NO_SUCH_OPERATION: &str = "no_such_operation";
    /// The body, the query or a path segment is not what the operation takes.
    pub const BAD_REQUEST: &str = "bad_request";
    /// The body is longer than the operation takes.
    pub const TOO_LARGE: &str = "too_large";
    /// The policy would give somebody more than the one in force, and the edit does not accept that.
    pub const WIDENS_ACCESS: &str = "widens_access";
    /// There is no such thing.
    pub const NOT_FOUND: &str = "not_found";
    /// The server could not do it although the request was right.
    pub const FAULT: &str = "fault";
    /// The server is stopping or cannot write.
    pub const UNAVAILABLE: &str = "unavailable";
    /// The server failed so that nobody can tell whether it was done.
    pub const OUTCOME_UNKNOWN: &str = "outcome_unknown";
    /// The server's configuration has mistakes, or says something that only a start can apply.
    pub const BAD_CONFIG: &str = "bad_config";
    /// The device holds no connection, so it was not asked.
    pub const NOT_CONNECTED: &str = "not_connected";
    /// The device was asked and did not answer in time.
    pub const NO_ANSWER: &str = "no_answer";
    /// Two Noise keys of the server are accepted already.
    pub const TWO_KEYS: &str = "two_keys";
    /// A device may still use the key.
    pub const KEY_IN_USE: &str = "key_in_use";
    /// Over plain HTTP, where others can read along.
    pub const IN_CLEAR: &str = "in_clear";
}

/// A refusal or a fault, sent as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Stable; programs compare this.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// What the code means, in a few words.
    pub title: String,
    /// What is wrong this time, in one line.
    pub detail: String,
    /// What to do next, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The places, where a text that was sent is at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Mistake>,
}

/// A mistake in a text that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mistake {
    /// From 1; 0 when the message says the place.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_members_are_left_out_and_may_be_left_out() {
        let text = r#"{"code":"not_found","status":404,"title":"not found","detail":"there is no node x"}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();
        assert_eq!(problem.hint, None);
        assert_eq!(serde_json::to_string(&problem).unwrap(), text);
    }
}
