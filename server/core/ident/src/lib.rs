//! Who and what: ids, tags, scopes and public keys with their text forms.
//!
//! Enters: text. Leaves: values that are valid by construction. Must not know: anything else in the house.

mod id;
mod key;
mod schema;
mod scope;
mod secret;
mod tag;

pub use id::{ApiKeyId, AuthKeyId, IdError, NodeId, TailnetId, UserId};
pub use key::{DiscoKey, KeyError, MachineKey, NodeKey};
pub use scope::{Scope, ScopeError, Scopes};
pub use secret::Secret;
pub use tag::{Tag, TagError};
