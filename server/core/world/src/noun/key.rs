//! Credentials as the World knows them: verifiers, never secrets.

use ident::{ApiKeyId, AuthKeyId, Scopes, Tag, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{NonEmpty, Owner};

/// HMAC-SHA-256 of a 256-bit secret under a pepper that lives outside the database.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifier {
    /// Which pepper made it.
    pub pepper: u32,
    /// The digest, in hex when written.
    #[serde(with = "digest_hex")]
    pub digest: [u8; 32],
}

impl Verifier {
    /// Whether both were made from the same secret; takes the same time either way.
    pub fn matches(&self, other: &Verifier) -> bool {
        self.pepper == other.pepper && bool::from(self.digest.ct_eq(&other.digest))
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier(pepper {})", self.pepper)
    }
}

mod digest_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(digest: &[u8; 32], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&digest.iter().map(|b| format!("{b:02x}")).collect::<String>())
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(d)?;
        let mut digest = [0u8; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(D::Error::custom("64 hex digits expected"));
        }
        for (i, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(D::Error::custom)?;
        }
        Ok(digest)
    }
}

/// What a role gives its keys unless `key create` narrows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDefaults {
    /// Lifetime of a key in seconds.
    pub expiry_seconds: u64,
    /// Whether one key may register several devices.
    pub reusable: bool,
    /// Whether devices vanish when they go away.
    pub ephemeral: bool,
    /// How long the key of a device is accepted, in seconds; none for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_expiry_seconds: Option<u64>,
}

/// A named, non-empty set of tags with the defaults of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Unique in the tailnet: lower-case letters, digits and hyphens.
    pub name: String,
    /// What a device that joins with a key of this role is.
    pub tags: NonEmpty<Tag>,
    /// For people.
    pub description: String,
    /// Defaults and upper bounds of its keys.
    pub key: KeyDefaults,
}

/// A pre-auth key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthKey {
    /// Never used again.
    pub id: AuthKeyId,
    /// The role it was made from; empty for a key without tags.
    pub role: String,
    /// What its devices are tagged with; without tags they are the person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<NonEmpty<Tag>>,
    /// The person responsible, which grants nothing; of a key without tags whose its devices are.
    pub user: Option<UserId>,
    /// What a presented key is compared with.
    pub verifier: Verifier,
    /// When it was made.
    pub created: Timestamp,
    /// From then on it registers nothing.
    pub expires: Timestamp,
    /// Whether it may register several devices.
    pub reusable: bool,
    /// Whether its devices vanish when they go away.
    pub ephemeral: bool,
    /// How long the key of a device is accepted, in seconds; none for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_expiry_seconds: Option<u64>,
    /// How many registrations it has paid for.
    pub used: u64,
    /// The last of these.
    pub last_used: Option<Timestamp>,
    /// Since when it is void.
    pub revoked: Option<Timestamp>,
}

impl AuthKey {
    /// The tags, or none.
    pub fn tags(&self) -> &[Tag] {
        self.tags.as_ref().map_or(&[], NonEmpty::as_slice)
    }
    /// Whose its devices are; nobody's only when it was damaged.
    pub fn owner(&self) -> Option<Owner> {
        let tagged = self.tags.clone().map(Owner::Tags);
        tagged.or_else(|| self.user.map(Owner::User))
    }
}

/// A credential of the admin API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Never used again.
    pub id: ApiKeyId,
    /// For people.
    pub description: String,
    /// What a presented key is compared with.
    pub verifier: Verifier,
    /// What it may do.
    #[serde(default)]
    pub scopes: Scopes,
    /// When it was made.
    pub created: Timestamp,
    /// From then on it opens nothing.
    pub expires: Timestamp,
    /// The last call that it opened; lags by some seconds.
    #[serde(default)]
    pub last_used: Option<Timestamp>,
    /// Since when it is void.
    pub revoked: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it opens anything at that time.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires > now
    }
}
