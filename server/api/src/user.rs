//! People.

use ident::UserId;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operation::{Changed, Method::*, Operation, in_tailnet};

/// All people, by login.
pub const LIST: Operation<(), Users> = Operation::read("user", Get, in_tailnet!("/user"));
/// One person, by id or login; digits alone are an id.
pub const SHOW: Operation<(), One> = Operation::read("user", Get, in_tailnet!("/user/{user}"));
/// Makes a person known; one who is known already with the same display name is left alone.
pub const CREATE: Operation<Create, Changed<One>> = Operation::write("user", Post, in_tailnet!("/user"));
/// Gives a person another login.
pub const RENAME: Operation<Rename, Changed<One>> =
    Operation::write("user", Post, in_tailnet!("/user/{user}/rename"));
/// Forgets a person who is responsible for nothing.
pub const DELETE: Operation<(), Changed<One>> = Operation::write("user", Delete, in_tailnet!("/user/{user}"));

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// Never used again.
    pub id: UserId,
    /// Unique in the tailnet.
    pub login: String,
    /// What people read.
    pub display_name: String,
    /// When the person was made known.
    pub created: Timestamp,
    /// For how many devices the person is responsible.
    pub node_count: u64,
}

/// Several people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Users {
    /// In order of login.
    pub users: Vec<User>,
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "UserOne")]
pub struct One {
    /// The person.
    pub user: User,
}

/// A person to make known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UserCreate")]
pub struct Create {
    /// `alice` or `alice@example.com`.
    pub login: String,
    /// The login when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// The login to have from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UserRename")]
pub struct Rename {
    /// `alice` or `alice@example.com`.
    pub login: String,
}
