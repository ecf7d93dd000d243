//! What may be called: method, path, scope, and the types that go in and come out.

use std::{fmt, marker::PhantomData};

use ident::Scope;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::{
    agent, apikey, backup, dns, event, key, login, node, policy, role, route, server, server_key, user,
};

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
    /// Whether the answer is a stream of server-sent events, each of them one value.
    pub streams: bool,
    /// Whether the answer is a file; its description, and the whole answer to a check, is one value.
    pub file: bool,
}

/// What goes into an operation and what comes out, as JSON Schema; null where nothing goes in.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// What goes in.
    pub input: fn(&mut SchemaGenerator) -> Schema,
    /// What comes out.
    pub output: fn(&mut SchemaGenerator) -> Schema,
}

impl<I: JsonSchema, O: JsonSchema> Operation<I, O> {
    const fn shape(&self) -> Shape {
        Shape { input: schema::<I>, output: schema::<O> }
    }
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl<I, O> Operation<I, O> {
    pub(crate) const fn read(noun: &'static str, method: Method, path: &'static str) -> Self {
        Self::new(Declared { noun, method, path, writes: false, streams: false, file: false })
    }
    pub(crate) const fn write(noun: &'static str, method: Method, path: &'static str) -> Self {
        Self::new(Declared { noun, method, path, writes: true, streams: false, file: false })
    }
    pub(crate) const fn stream(noun: &'static str, path: &'static str) -> Self {
        Self::new(Declared { noun, method: Method::Get, path, writes: false, streams: true, file: false })
    }
    pub(crate) const fn file(noun: &'static str, method: Method, path: &'static str) -> Self {
        Self::new(Declared { noun, method, path, writes: true, streams: false, file: true })
    }
    const fn new(declared: Declared) -> Self {
        Self { declared, types: PhantomData }
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
    /// What a credential must hold: `node:read`, `key:write`. `None` opens to nobody.
    pub fn scope(&self) -> Option<Scope> {
        Scope::of(self.noun, self.writes)
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckQuery {
    /// Say what would change and change nothing.
    #[serde(default)]
    pub check: bool,
}

/// What every operation that writes answers: whether anything changed (or would, with `check`), and the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Changed{T}")]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Empty {}

macro_rules! operations {
    ($($noun:ident :: $name:ident),* $(,)?) => {
        /// Everything that may be called.
        pub const OPERATIONS: &[Declared] = &[$($noun::$name.declared()),*];
        /// What goes in and out, in the same order.
        pub const SHAPES: &[Shape] = &[$($noun::$name.shape()),*];
    };
}

operations![
    server::STATUS,
    server::RELOAD,
    server::NOTICE,
    server::SET_NOTICE,
    server_key::SHOW,
    server_key::ROTATE,
    server_key::RETIRE,
    user::LIST,
    user::SHOW,
    user::CREATE,
    user::RENAME,
    user::DELETE,
    node::LIST,
    node::SHOW,
    node::RENAME,
    node::TAG,
    node::EXPIRE,
    node::PING,
    node::SET_EXPIRY,
    node::MOVE,
    node::DELETE,
    agent::LIST,
    login::LIST,
    login::APPROVE,
    login::DENY,
    route::LIST,
    route::APPROVE,
    route::REVOKE,
    dns::SHOW,
    dns::SET,
    dns::LIST,
    dns::SET_RECORD,
    dns::DELETE_RECORD,
    key::LIST,
    key::CREATE,
    key::PREVIEW,
    key::VERIFY,
    key::REVOKE,
    apikey::LIST,
    apikey::CREATE,
    apikey::VERIFY,
    apikey::REVOKE,
    role::LIST,
    role::SHOW,
    role::SET,
    role::DELETE,
    role::APPLY,
    policy::GET,
    policy::SET,
    policy::CHECK,
    policy::HISTORY,
    policy::VERSION,
    backup::PROVE,
    backup::CREATE,
    event::LIST,
    event::FOLLOW,
    event::VERIFY,
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
    fn every_operation_has_a_scope_and_every_noun_an_operation() {
        let unscoped: Vec<_> = OPERATIONS.iter().filter(|o| o.scope().is_none()).collect();
        assert!(unscoped.is_empty(), "no scope has their noun: {unscoped:?}");
        for scope in Scope::every() {
            let needed = OPERATIONS.iter().any(|o| o.scope().is_some_and(|s| scope.covers(s)));
            assert!(needed, "{scope} opens nothing");
        }
    }

    /// What is declared and not listed would be in no document and in no test.
    #[test]
    fn every_declaration_is_listed() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let files = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_file());
        let texts = files.map(|f| std::fs::read_to_string(f).unwrap());
        let declares = ["read", "write", "stream", "file"].map(|way| format!("Operation::{way}(\""));
        let declared: usize =
            texts.map(|t| declares.iter().map(|d| t.matches(d.as_str()).count()).sum::<usize>()).sum();
        assert_eq!(declared, OPERATIONS.len());
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
