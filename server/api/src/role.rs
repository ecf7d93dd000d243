//! Key roles: named, non-empty sets of tags with the defaults and limits of their keys.

use ident::Tag;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operation::{Changed, Method::*, Operation, in_tailnet};

/// All roles, by name.
pub const LIST: Operation<(), Roles> = Operation::read("role", Get, in_tailnet!("/role"));
/// One role.
pub const SHOW: Operation<(), One> = Operation::read("role", Get, in_tailnet!("/role/{role}"));
/// Makes a role or changes it; what is absent stays as it is.
pub const SET: Operation<Set, Changed<One>> = Operation::write("role", Put, in_tailnet!("/role/{role}"));
/// Forgets a role; keys that were made from it stay.
pub const DELETE: Operation<(), Changed<One>> = Operation::write("role", Delete, in_tailnet!("/role/{role}"));
/// Makes every role of a list be exactly as the list says; nothing is done when one of them is refused.
pub const APPLY: Operation<Apply, Changed<Applied>> = Operation::write("role", Put, in_tailnet!("/role"));

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Lower-case letters, digits and hyphens.
    pub name: String,
    /// At least one; each must be in `tagOwners` of the policy.
    pub tags: Vec<Tag>,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// What its keys are, unless they are made narrower.
    #[serde(default)]
    pub key: KeyDefaults,
}

/// What the keys of a role are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyDefaults {
    /// Lifetime of a key; one day when absent.
    pub expiry_seconds: u64,
    /// Whether a key may let several devices in.
    pub reusable: bool,
    /// Whether devices are forgotten when they go away.
    pub ephemeral: bool,
}

impl Default for KeyDefaults {
    fn default() -> Self {
        Self { expiry_seconds: 24 * 3600, reusable: false, ephemeral: false }
    }
}

/// Several roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Roles {
    /// In order of name.
    pub roles: Vec<Role>,
}

/// One role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RoleOne")]
pub struct One {
    /// The role.
    pub role: Role,
}

/// What to set; a role that is not there yet needs its tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Set {
    /// Exactly these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Tag>>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Lifetime of a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry_seconds: Option<u64>,
    /// Whether a key may let several devices in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reusable: Option<bool>,
    /// Whether devices are forgotten when they go away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<bool>,
}

/// The roles to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    /// No name twice.
    pub roles: Vec<Role>,
    /// Whether roles that are not in the list are forgotten.
    #[serde(default)]
    pub prune: bool,
}

/// What became of the roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    /// In order of name.
    pub roles: Vec<Step>,
}

/// What became of one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The role.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// How a role differs from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was not there.
    Created,
    /// It was different.
    Updated,
    /// It was like that already.
    Unchanged,
    /// It is no longer there.
    Deleted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_without_key_settings_has_short_single_use_keys() {
        let role: Role = serde_json::from_str(r#"{"name":"web","tags":["tag:web"]}"#).unwrap();
        assert_eq!(role.key, KeyDefaults { expiry_seconds: 86_400, reusable: false, ephemeral: false });
        let role: Role =
            serde_json::from_str(r#"{"name":"w","tags":["tag:w"],"key":{"reusable":true}}"#).unwrap();
        assert_eq!(role.key.expiry_seconds, 86_400);
        assert!(serde_json::from_str::<Role>(r#"{"name":"w","tags":["w"]}"#).is_err());
    }
}
