//! Numbers that name things. Positive, below 2^53 (JSON readers keep them exact), never used again.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is a whole number from 1 to 2^53-1")]
pub struct IdError;

const MAX: u64 = (1 << 53) - 1;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name(u64);

        impl $name {
            /// The id with this number; refused outside 1..2^53.
            pub fn new(n: u64) -> Result<Self, IdError> {
                if (1..=MAX).contains(&n) { Ok(Self(n)) } else { Err(IdError) }
            }
            /// The lowest id.
            pub const FIRST: Self = Self(1);
            /// The highest id, which nothing ever gets.
            pub const LAST: Self = Self(MAX);
            /// The id after this one.
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
            /// The number itself.
            pub fn get(self) -> u64 {
                self.0
            }
        }
        impl TryFrom<u64> for $name {
            type Error = IdError;
            fn try_from(n: u64) -> Result<Self, IdError> {
                Self::new(n)
            }
        }
        impl From<$name> for u64 {
            fn from(id: $name) -> u64 {
                id.0
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(s: &str) -> Result<Self, IdError> {
                // Numbers in Rust may begin with a plus sign.
                let digits = s.bytes().all(|b| b.is_ascii_digit());
                digits.then(|| s.parse().ok()).flatten().ok_or(IdError).and_then(Self::new)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(/// A device, for as long as it exists; `Node.ID` on the wire.
    NodeId);
id!(/// A person.
    UserId);
id!(/// A pre-auth key.
    AuthKeyId);
id!(/// A credential of the admin API.
    ApiKeyId);
id!(/// A mesh with its own World.
    TailnetId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_in_the_range_that_json_keeps_exact() {
        for bad in
            ["0", "-1", "", "9007199254740992", "18446744073709551616", "1.0", "null", "+1", " 1", "1_0"]
        {
            assert_eq!(bad.parse::<NodeId>(), Err(IdError), "{bad}");
        }
        assert_eq!("9007199254740991".parse::<NodeId>().unwrap().get(), MAX);
        assert_eq!(serde_json::to_string(&NodeId::FIRST).unwrap(), "1");
        assert!(serde_json::from_str::<NodeId>("0").is_err());
    }
}
