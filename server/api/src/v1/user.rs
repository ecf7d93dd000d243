//! People.

use prost::Message;
use serde::{Deserialize, Serialize};

use super::{Nothing, Rpc, Stamp, lenient, read, write};
use crate::Method::*;

/// People, by id; all, or those that the question names.
pub const LIST: Rpc<List, Users> = read("ListUsers", "user", Get, "/api/v1/user");
/// Makes a person known.
pub const CREATE: Rpc<Create, One> = write("CreateUser", "user", Post, "/api/v1/user");
/// Gives a person another name.
pub const RENAME: Rpc<Rename, One> =
    write("RenameUser", "user", Post, "/api/v1/user/{old_id}/rename/{new_name}");
/// Forgets a person who is responsible for nothing.
pub const DELETE: Rpc<Which, Nothing> = write("DeleteUser", "user", Delete, "/api/v1/user/{id}");

/// A person.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// As a string in JSON.
    #[prost(uint64, tag = "1")]
    #[serde(serialize_with = "super::stamp::as_text")]
    pub id: u64,
    /// The login.
    #[prost(string, tag = "2")]
    pub name: String,
    /// When the person was made known.
    #[prost(message, optional, tag = "3")]
    pub created_at: Option<Stamp>,
    /// What people read.
    #[prost(string, tag = "4")]
    pub display_name: String,
    /// The login, where that is an address.
    #[prost(string, tag = "5")]
    pub email: String,
    /// Empty.
    #[prost(string, tag = "6")]
    pub provider_id: String,
    /// Empty.
    #[prost(string, tag = "7")]
    pub provider: String,
    /// Empty.
    #[prost(string, tag = "8")]
    pub profile_pic_url: String,
}

/// Which people: those of whom all of this is true.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub struct List {
    /// 0 for any.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "lenient::id")]
    pub id: u64,
    /// Empty for any.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Empty for any.
    #[prost(string, tag = "3")]
    pub email: String,
}

/// Several people.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct Users {
    /// In order of id.
    #[prost(message, repeated, tag = "1")]
    pub users: Vec<User>,
}

/// One person.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct One {
    /// Always there.
    #[prost(message, optional, tag = "1")]
    pub user: Option<User>,
}

/// A person to make known.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Create {
    /// The login.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The login when empty.
    #[prost(string, tag = "2")]
    pub display_name: String,
    /// Empty, or the same as the name.
    #[prost(string, tag = "3")]
    pub email: String,
    /// Not kept.
    #[prost(string, tag = "4")]
    pub picture_url: String,
}

/// A new name for somebody.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rename {
    /// Whose.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "lenient::needed")]
    pub old_id: u64,
    /// The login from now on.
    #[prost(string, tag = "2")]
    pub new_name: String,
}

/// One person.
#[derive(Clone, Copy, PartialEq, Message, Deserialize)]
pub struct Which {
    /// Who.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "lenient::needed")]
    pub id: u64,
}
