//! What may be called: method, path, scope, and the types that go in and come out.

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Serialize};

use crate::{apikey, dns, event, key, login, node, policy, role, route, server, user};

/// The HTTP method of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Reads; what goes in travels as the query.
    Get,
    /// Does; what goes in travels as the body.
    Post,
    /// Sets; what goes in travels as the body.
    Put,
    /// Removes; nothing goes in.
    Delete,
}

/// Something that may be called with an `I` and answers an `O`; `()` goes in as nothing.
///
/// The path is a template in the form that routers take: `{tailnet}` first where the operation belongs to one.
#[derive(Debug)]
pub struct Operation<I, O> {
    declared: Declared,
    types: PhantomData<fn(I) -> O>,
}

/// An operation without its types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    /// What it is about: the first half of its scope.
    pub noun: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path, with `{placeholders}`.
    pub path: &'static str,
    /// Whether it changes anything; then it takes `?check=true` and answers [`Changed`].
    pub writes: bool,
}

impl<I, O> Operation<I, O> {
    pub(crate) const fn read(noun: &'static str, method: Method, path: &'static str) -> Self {
        Self { declared: Declared { noun, method, path, writes: false }, types: PhantomData }
    }
    pub(crate) const fn write(noun: &'static str, method: Method, path: &'static str) -> Self {
        Self { declared: Declared { noun, method, path, writes: true }, types: PhantomData }
    }
    /// The operation without its types.
    pub const fn declared(&self) -> Declared {
        self.declared
    }
    /// The path template.
    pub const fn path(&self) -> &'static str {
        self.declared.path
    }
}

impl Declared {
    /// What a credential must hold: `node:read`, `key:write`.
    pub fn scope(&self) -> String {
        format!("{}:{}", self.noun, if self.writes { "write" } else { "read" })
    }
    /// The path with its placeholders filled in order, each value as one escaped segment.
    /// `None` when there are not exactly as many values as placeholders.
    pub fn at(&self, values: &[&str]) -> Option<String> {
        let mut path = String::new();
        let mut values = values.iter();
        for segment in self.path.split('/').skip(1) {
            path.push('/');
            if segment.starts_with('{') {
                path.push_str(&escape(values.next()?));
            } else {
                path.push_str(segment);
            }
        }
        values.next().is_none().then_some(path)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        })
    }
}

/// The query of every operation that writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckQuery {
    /// Say what would change and change nothing.
    #[serde(default)]
    pub check: bool,
}

/// What every operation that writes answers: whether anything changed (or would, with `check`), and the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed<T> {
    /// Whether the state is another one than before; with `check`, whether it would be.
    pub changed: bool,
    /// Whether nothing was done on purpose.
    pub check: bool,
    /// What is the case after it.
    #[serde(flatten)]
    pub outcome: T,
}

/// An outcome that has nothing to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// Everything that may be called.
pub const OPERATIONS: &[Declared] = &[
    server::STATUS.declared(),
    server::RELOAD.declared(),
    user::LIST.declared(),
    user::SHOW.declared(),
    user::CREATE.declared(),
    user::RENAME.declared(),
    user::DELETE.declared(),
    node::LIST.declared(),
    node::SHOW.declared(),
    node::RENAME.declared(),
    node::TAG.declared(),
    node::EXPIRE.declared(),
    node::PING.declared(),
    node::SET_EXPIRY.declared(),
    node::MOVE.declared(),
    node::DELETE.declared(),
    login::LIST.declared(),
    login::APPROVE.declared(),
    route::LIST.declared(),
    route::APPROVE.declared(),
    route::REVOKE.declared(),
    dns::SHOW.declared(),
    dns::SET.declared(),
    dns::LIST.declared(),
    dns::SET_RECORD.declared(),
    dns::DELETE_RECORD.declared(),
    key::LIST.declared(),
    key::CREATE.declared(),
    key::VERIFY.declared(),
    key::REVOKE.declared(),
    apikey::LIST.declared(),
    apikey::CREATE.declared(),
    apikey::VERIFY.declared(),
    apikey::REVOKE.declared(),
    role::LIST.declared(),
    role::SHOW.declared(),
    role::SET.declared(),
    role::DELETE.declared(),
    role::APPLY.declared(),
    policy::GET.declared(),
    policy::SET.declared(),
    policy::CHECK.declared(),
    policy::HISTORY.declared(),
    policy::VERSION.declared(),
    event::LIST.declared(),
    event::FOLLOW.declared(),
    event::VERIFY.declared(),
];

macro_rules! in_tailnet {
    ($rest:literal) => {
        concat!("/api/mesh/v1/tailnet/{tailnet}", $rest)
    };
}
pub(crate) use in_tailnet;

/// A text as one path segment or one value of a query: everything but letters, digits and `-._~` escaped; a segment of dots alone would be taken
/// for a step in the tree, so its dots are escaped too.
pub fn escape(segment: &str) -> String {
    let steps = segment.chars().all(|c| c == '.');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_~".contains(&b) || (b == b'.' && !steps);
    segment.bytes().fold(String::new(), |mut out, b| {
        if plain(b) {
            out.push(b as char);
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_operations_share_method_and_path() {
        let places: BTreeSet<_> = OPERATIONS.iter().map(|o| (o.method, o.path)).collect();
        assert_eq!(places.len(), OPERATIONS.len());
        assert!(OPERATIONS.iter().all(|o| o.path.starts_with("/api/mesh/v1/")));
    }

    #[test]
    fn what_writes_is_no_get_and_what_removes_writes() {
        for o in OPERATIONS {
            assert!(!(o.writes && o.method == Method::Get), "{o:?}");
            assert!(o.writes || !matches!(o.method, Method::Put | Method::Delete), "{o:?}");
        }
    }

    #[test]
    fn a_value_stays_one_segment() {
        let at = |v| node::SHOW.declared().at(&["default", v]).unwrap();
        assert_eq!(at("web-1"), "/api/mesh/v1/tailnet/default/node/web-1");
        assert_eq!(at("../role/x?y#z"), "/api/mesh/v1/tailnet/default/node/..%2Frole%2Fx%3Fy%23z");
        assert_eq!(at(".."), "/api/mesh/v1/tailnet/default/node/%2E%2E");
        assert_eq!(at("ö"), "/api/mesh/v1/tailnet/default/node/%C3%B6");
        assert_eq!(node::SHOW.declared().at(&["default"]), None);
        assert_eq!(node::LIST.declared().at(&["default", "x"]), None);
    }

    #[test]
    fn an_answer_is_one_flat_object() {
        let answer = Changed { changed: true, check: false, outcome: Empty {} };
        assert_eq!(serde_json::to_string(&answer).unwrap(), r#"{"changed":true,"check":false}"#);
    }
}
