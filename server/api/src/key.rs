//! Pre-auth keys: what lets a device in, and what it will be able to reach.

use std::{borrow::Cow, fmt};

use ident::{AuthKeyId, Secret, Tag};
use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::operation::{Changed, Method::*, Operation, in_tailnet};

/// All keys that were made, by id, without their secrets.
pub const LIST: Operation<(), Keys> = Operation::read("key", Get, in_tailnet!("/key"));
/// Makes a key from a role; the only time its secret is told.
pub const CREATE: Operation<Create, Changed<Created>> = Operation::write("key", Post, in_tailnet!("/key"));
/// Says what the devices of a key could reach, without making one.
pub const PREVIEW: Operation<Preview, Previewed> = Operation::read("key", Post, in_tailnet!("/key/preview"));
/// Says whether a key would let a device in now.
pub const VERIFY: Operation<Verify, Verdict> = Operation::read("key", Post, in_tailnet!("/key/verify"));
/// Voids a key; devices that it let in stay.
pub const REVOKE: Operation<(), Changed<One>> =
    Operation::write("key", Post, in_tailnet!("/key/{key}/revoke"));

/// A pre-auth key without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// Never used again.
    pub id: AuthKeyId,
    /// Its text with the secret left out: `mk-auth-3-…`.
    pub masked: String,
    /// The role it was made from; empty for a key without tags.
    pub role: String,
    /// What its devices are.
    pub tags: Vec<Tag>,
    /// Login of the person responsible, which grants nothing; of a key without tags whose its devices are.
    pub user: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// From then on it lets nothing in.
    pub expires: Timestamp,
    /// Whether it may let several devices in.
    pub reusable: bool,
    /// Whether its devices are forgotten when they go away.
    pub ephemeral: bool,
    /// How many times it let a device in.
    pub used_count: u64,
    /// The last of these times.
    pub last_used: Option<Timestamp>,
    /// Since when it is void.
    pub revoked: Option<Timestamp>,
}

/// Several keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Keys {
    /// In order of id.
    pub keys: Vec<Key>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "KeyOne")]
pub struct One {
    /// The key.
    pub key: Key,
}

/// A key to make. What is absent comes from the role; what is there may only be narrower.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KeyCreate")]
pub struct Create {
    /// The role's name.
    pub role: String,
    /// Id or login of the person responsible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Lifetime from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_seconds: Option<u64>,
    /// Whether it may let several devices in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reusable: Option<bool>,
    /// Whether its devices are forgotten when they go away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<bool>,
    /// Make it even if its devices could reach nothing and be reached by nothing.
    #[serde(default)]
    pub allow_no_access: bool,
}

/// A key that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "KeyCreated")]
pub struct Created {
    /// The key; null when it was only checked whether it could be made.
    pub key: Option<Key>,
    /// Its whole text, told this once; null when it was only checked.
    pub secret: Option<Plaintext>,
    /// What the policy in force gives its devices.
    pub access: Access,
}

/// What the policy in force gives to devices with certain tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Access {
    /// Where they may open connections to.
    pub may_reach: Vec<Opening>,
    /// From where connections to them may be opened.
    pub reached_by: Vec<Opening>,
    /// Routes that are approved as soon as they offer them; `exit` for an exit node.
    pub approves: Vec<String>,
}

/// One rule, seen from one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Opening {
    /// The other side, as the policy writes it: a tag, a group, a host, a prefix, `*`.
    pub peer: String,
    /// Ports and ranges with commas between them; `*` for all.
    pub ports: String,
    /// Protocols with commas between them; `*` for all.
    pub proto: String,
}

/// Which key to look ahead at: exactly one of the three is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "KeyPreview")]
pub struct Preview {
    /// One of this role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// This one, which was made already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<AuthKeyId>,
    /// One with these tags, whether there is a role for it or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Tag>>,
}

/// What the devices of a key could do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "KeyPreviewed")]
pub struct Previewed {
    /// What they would be.
    pub tags: Vec<Tag>,
    /// Whether the policy in force opens anything to them or from them; without it no key of that kind is made.
    pub opens_something: bool,
    /// What the policy in force gives them.
    pub access: Access,
}

/// A key to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// Its whole text.
    pub secret: Plaintext,
}

/// Whether a key would let a device in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "KeyVerdict")]
pub struct Verdict {
    /// Whether it would.
    pub works: bool,
    /// Why it would not.
    pub reason: Option<String>,
    /// The key, if the secret is one of ours.
    pub key: Option<Key>,
}

/// A secret on its way to the one who asked for it: written as JSON, never printed by accident, wiped when dropped.
#[derive(Clone)]
pub struct Plaintext(Secret<String>);

impl Plaintext {
    /// Takes the text in.
    pub fn new(text: String) -> Self {
        Self(Secret::new(text))
    }
    /// The text itself; every call of this is a place to review.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl PartialEq for Plaintext {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}
impl Eq for Plaintext {}

impl JsonSchema for Plaintext {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Plaintext".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "password"})
    }
}

impl Serialize for Plaintext {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.expose())
    }
}
impl<'de> Deserialize<'de> for Plaintext {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_told_as_json_and_nowhere_else() {
        let created = Created {
            key: None,
            secret: Some(Plaintext::new("mk-auth-3-abc".into())),
            access: Access::default(),
        };
        assert!(!format!("{created:?}").contains("abc"));
        let text = serde_json::to_string(&created).unwrap();
        assert!(text.contains(r#""secret":"mk-auth-3-abc""#), "{text}");
        assert_eq!(serde_json::from_str::<Created>(&text).unwrap(), created);
    }

    #[test]
    fn a_request_with_a_misspelt_member_is_refused() {
        let error = serde_json::from_str::<Create>(r#"{"role":"server","reuseable":true}"#).unwrap_err();
        assert!(error.to_string().contains("reuseable"), "{error}");
    }
}
