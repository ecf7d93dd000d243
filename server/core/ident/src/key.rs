//! Public keys as the protocol writes them: a prefix and 64 lower-case hex digits.
//! Zero means "absent" on the wire, so a zero key is never a value here.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a text is not a key of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text does not begin with the kind's prefix.
    #[error("expected a key that begins with `{0}`")]
    Prefix(&'static str),
    /// Behind the prefix there are not 64 hex digits.
    #[error("expected 64 hex digits behind `{0}`")]
    Hex(&'static str),
    /// The all-zero key, which means "none".
    #[error("the zero key means no key")]
    Zero,
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 32]);

        impl $name {
            /// What the text form begins with.
            pub const PREFIX: &'static str = $prefix;

            /// The key with these bytes; the zero key is refused.
            pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
                if bytes == [0; 32] { Err(KeyError::Zero) } else { Ok(Self(bytes)) }
            }
            /// The raw 32 bytes.
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
            /// A text that may be the zero key: `Ok(None)` for that one and for the empty text.
            pub fn parse_optional(s: &str) -> Result<Option<Self>, KeyError> {
                if s.is_empty() {
                    return Ok(None);
                }
                match s.parse() {
                    Ok(key) => Ok(Some(key)),
                    Err(KeyError::Zero) => Ok(None),
                    Err(e) => Err(e),
                }
            }
        }
        impl FromStr for $name {
            type Err = KeyError;
            fn from_str(s: &str) -> Result<Self, KeyError> {
                let digits = s.strip_prefix($prefix).ok_or(KeyError::Prefix($prefix))?;
                let mut bytes = [0u8; 32];
                hex::decode_to_slice(digits, &mut bytes).map_err(|_| KeyError::Hex($prefix))?;
                Self::from_bytes(bytes)
            }
        }
        impl TryFrom<String> for $name {
            type Error = KeyError;
            fn try_from(s: String) -> Result<Self, KeyError> {
                s.parse()
            }
        }
        impl From<$name> for String {
            fn from(k: $name) -> String {
                k.to_string()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, hex::encode(self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}…", $prefix, hex::encode(&self.0[..4]))
            }
        }
    };
}

key!(/// A machine: the static key of its Noise handshake, and so the caller of every request on that connection.
    MachineKey, "mkey:");
key!(/// A node's WireGuard key.
    NodeKey, "nodekey:");
key!(/// A node's path-discovery key; new at each start of the client.
    DiscoKey, "discokey:");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_zero_key_is_no_key() {
        let zero = format!("nodekey:{}", "0".repeat(64));
        assert_eq!(zero.parse::<NodeKey>(), Err(KeyError::Zero));
        assert_eq!(NodeKey::parse_optional(&zero), Ok(None));
        assert_eq!(NodeKey::parse_optional(""), Ok(None));
    }

    #[test]
    fn another_kind_is_refused() {
        let m = format!("mkey:{}", "ab".repeat(32));
        assert_eq!(m.parse::<NodeKey>(), Err(KeyError::Prefix("nodekey:")));
        assert_eq!("nodekey:abc".parse::<NodeKey>(), Err(KeyError::Hex("nodekey:")));
    }

    proptest! {
        #[test]
        fn text_form_round_trips(bytes in any::<[u8; 32]>().prop_filter("zero", |b| b != &[0; 32])) {
            let key = NodeKey::from_bytes(bytes).unwrap();
            prop_assert_eq!(key.to_string().parse::<NodeKey>().unwrap(), key);
            prop_assert_eq!(key.to_string().to_uppercase().replace("NODEKEY:", "nodekey:").parse::<NodeKey>().unwrap(), key);
        }
        #[test]
        fn any_text_is_answered(s in ".{0,100}") {
            let _ = s.parse::<MachineKey>();
            let _ = DiscoKey::parse_optional(&s);
        }
    }
}
