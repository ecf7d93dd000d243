//! Why a verb did not do what was asked, in words and as an exit code.

use api::{Mistake, Problem};
use serde::Serialize;
use serde_json::Value;

/// How the program ends: a contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or there was nothing to do.
    Ok = 0,
    /// Failed or refused.
    Failed = 1,
    /// Asked in a way that means nothing.
    Usage = 2,
    /// It could not be determined whether it is so, or whether it was done.
    Unknown = 3,
    /// It works, and there are warnings that were asked to count.
    Warned = 4,
}

/// What went wrong: one line what, places if there are any, one line what to do next.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// Stable; programs compare this.
    pub code: String,
    /// One line.
    pub detail: String,
    /// One line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Each mistake in a text that was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Place>,
    /// How the program ends.
    #[serde(skip)]
    pub exit: Exit,
}

/// A mistake in words and as a value.
#[derive(Debug, Serialize)]
struct Place {
    #[serde(skip)]
    words: String,
    #[serde(flatten)]
    value: Value,
}

impl Failure {
    /// Failed or refused.
    pub fn failed(detail: impl Into<String>) -> Self {
        Self::new(Exit::Failed, "failed", detail)
    }
    /// Asked in a way that means nothing.
    pub fn usage(detail: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", detail)
    }
    /// Nobody knows.
    pub fn unknown(detail: impl Into<String>) -> Self {
        Self::new(Exit::Unknown, "unknown", detail)
    }
    /// With what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// With a code of its own.
    pub fn code(mut self, code: &str) -> Self {
        self.code = code.to_owned();
        self
    }
    /// With one mistake more: in words and as a value.
    pub fn place(mut self, words: String, value: Value) -> Self {
        self.errors.push(Place { words, value });
        self
    }
    /// The lines for people.
    pub fn lines(&self) -> String {
        let mut out = format!("error: {}\n", self.detail);
        for place in &self.errors {
            out.push_str(&format!("  {}\n", place.words));
        }
        if let Some(hint) = &self.hint {
            out.push_str(&format!("hint: {hint}\n"));
        }
        out
    }
    fn new(exit: Exit, code: &str, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), detail: detail.into(), hint: None, errors: Vec::new(), exit }
    }
}

impl From<Problem> for Failure {
    fn from(p: Problem) -> Self {
        let exit = if p.code == api::code::OUTCOME_UNKNOWN { Exit::Unknown } else { Exit::Failed };
        let failure = Self { hint: p.hint, ..Self::new(exit, &p.code, p.detail) };
        p.errors.iter().fold(failure, |failure, m| failure.place(words(m), serde_json::json!(m)))
    }
}

/// A mistake in a text, in one line.
fn words(m: &Mistake) -> String {
    let hint = m.hint.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
    match m.line {
        0 => format!("{}{hint}", m.message),
        line => format!("line {line}, column {}: {}{hint}", m.column, m.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_does_not_know_is_no_failure() {
        let problem = |code: &str| Problem {
            code: code.to_owned(),
            status: 503,
            title: String::new(),
            detail: "x".into(),
            hint: None,
            errors: Vec::new(),
        };
        assert!(matches!(Failure::from(problem(api::code::OUTCOME_UNKNOWN)).exit, Exit::Unknown));
        assert!(matches!(Failure::from(problem(api::code::UNAVAILABLE)).exit, Exit::Failed));
    }
}
