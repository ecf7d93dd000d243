//! The interface of headscale's tools: its paths and its words, as JSON and as protocol buffers.
//!
//! One type serves both forms of a call. Ids travel in JSON as strings, times as RFC 3339, lists are never null, and
//! what is not there is null. What goes in is read leniently: ids as numbers or strings, members of any spelling, null
//! for nothing, unknown members for nothing.
//!
//! Sources: headscale's REST interface of versions 0.26 to 0.30, and the field numbers of its gRPC interface up to 0.29.

pub mod apikey;
pub mod auth;
mod lenient;
pub mod node;
pub mod policy;
pub mod preauthkey;
mod problem;
pub mod server;
mod stamp;
pub mod user;

use std::marker::PhantomData;

use prost::Message;
use serde::Serialize;

use crate::{Declared, Method, Operation};
pub use problem::{Place, Problem};
pub use stamp::Stamp;

/// A call by path or by name: as REST under its path, as gRPC under its name.
#[derive(Debug)]
pub struct Rpc<I, O> {
    name: &'static str,
    declared: Declared,
    types: PhantomData<fn(I) -> O>,
}

impl<I, O> Rpc<I, O> {
    const fn new(name: &'static str, operation: Operation<I, O>) -> Self {
        Self { name, declared: operation.declared(), types: PhantomData }
    }
    /// Its place in the service `headscale.v1.HeadscaleService`.
    pub fn grpc_path(&self) -> String {
        format!("/headscale.v1.HeadscaleService/{}", self.name)
    }
    /// Noun, method and path, without types.
    pub const fn declared(&self) -> Declared {
        self.declared
    }
}

/// An answer that has nothing to tell.
#[derive(Clone, Copy, PartialEq, Message, Serialize)]
pub struct Nothing {}

/// Everything that headscale's tools may call here.
pub const OPERATIONS: &[Declared] = &[
    server::HEALTH.declared(),
    user::LIST.declared(),
    user::CREATE.declared(),
    user::RENAME.declared(),
    user::DELETE.declared(),
    auth::REGISTER.declared(),
    auth::REGISTER_NODE.declared(),
    auth::APPROVE.declared(),
    auth::REJECT.declared(),
    auth::DEBUG.declared(),
    node::LIST.declared(),
    node::GET.declared(),
    node::DELETE.declared(),
    node::EXPIRE.declared(),
    node::RENAME.declared(),
    node::TAGS.declared(),
    node::ROUTES.declared(),
    node::MOVE.declared(),
    node::BACKFILL.declared(),
    preauthkey::LIST.declared(),
    preauthkey::CREATE.declared(),
    preauthkey::EXPIRE.declared(),
    preauthkey::DELETE.declared(),
    apikey::LIST.declared(),
    apikey::CREATE.declared(),
    apikey::EXPIRE.declared(),
    apikey::DELETE.declared(),
    policy::GET.declared(),
    policy::SET.declared(),
    policy::CHECK.declared(),
];

const fn read<I, O>(name: &'static str, noun: &'static str, method: Method, path: &'static str) -> Rpc<I, O> {
    Rpc::new(name, Operation::read(noun, method, path))
}

const fn write<I, O>(
    name: &'static str,
    noun: &'static str,
    method: Method,
    path: &'static str,
) -> Rpc<I, O> {
    Rpc::new(name, Operation::write(noun, method, path))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_calls_share_method_and_path() {
        let places: BTreeSet<_> = OPERATIONS.iter().map(|o| (o.method, o.path)).collect();
        assert_eq!(places.len(), OPERATIONS.len());
        assert!(OPERATIONS.iter().all(|o| o.path.starts_with("/api/v1/") && o.scope().is_some()));
    }

    #[test]
    fn a_user_reads_the_same_in_both_forms() {
        let user = user::User {
            id: 9_007_199_254_740_991,
            name: "alice".into(),
            created_at: Some(Stamp { seconds: 1_700_000_000, nanos: 0 }),
            ..user::User::default()
        };
        let text = serde_json::to_string(&user).unwrap();
        assert_eq!(
            text,
            r#"{"id":"9007199254740991","name":"alice","createdAt":"2023-11-14T22:13:20Z","displayName":"","email":"","providerId":"","provider":"","profilePicUrl":""}"#
        );
        assert_eq!(user::User::decode(user.encode_to_vec().as_slice()).unwrap(), user);
    }

    #[test]
    fn what_goes_in_may_be_spelled_in_many_ways() {
        for text in [
            r#"{"user":7,"reusable":true,"aclTags":["tag:a"]}"#,
            r#"{"user":"7","reusable":"true","aclTags":["tag:a"],"unknown":{"deep":[1]}}"#,
            r#"{"user":"7","reusable":"1","aclTags":"tag:a"}"#,
        ] {
            let create: preauthkey::Create = serde_json::from_str(text).unwrap();
            assert_eq!((create.user, create.reusable, create.ephemeral), (7, true, false), "{text}");
            assert_eq!(create.acl_tags, ["tag:a"]);
        }
        for bad in
            [r#""-1""#, "-1", "0", r#""0""#, r#""9223372036854775808""#, r#""x""#, "1.5", "[]", "{}", "true"]
        {
            let text = format!(r#"{{"user":{bad}}}"#);
            assert!(serde_json::from_str::<preauthkey::Create>(&text).is_err(), "{bad}");
        }
    }
}
