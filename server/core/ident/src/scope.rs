//! What a credential of the admin API may do: `node:read`, `key:write`, `all:read`, `all`.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// What operations are about: the first half of a scope.
const NOUNS: &[&str] =
    &["apikey", "backup", "dns", "event", "key", "node", "policy", "role", "route", "server", "user"];

/// Why a text is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a scope is `all`, `all:read`, or NOUN:read or NOUN:write with one of {}", NOUNS.join(", "))]
pub struct ScopeError;

/// The right to read or to write what one noun names, or everything. Whoever may write may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Everything when there is none, later nouns included.
    noun: Option<&'static str>,
    writes: bool,
}

impl Scope {
    /// Everything.
    pub const ALL: Self = Self { noun: None, writes: true };

    /// What an operation about this noun needs; `None` when no scope has that noun.
    pub fn of(noun: &str, writes: bool) -> Option<Self> {
        let noun = NOUNS.iter().find(|known| **known == noun)?;
        Some(Self { noun: Some(noun), writes })
    }

    /// Every scope there is.
    pub fn every() -> impl Iterator<Item = Self> {
        let nouns = std::iter::once(None).chain(NOUNS.iter().copied().map(Some));
        nouns.flat_map(|noun| [false, true].map(|writes| Self { noun, writes }))
    }

    /// Whether this right includes that one.
    pub fn covers(self, other: Self) -> bool {
        let about = self.noun.is_none() || self.noun == other.noun;
        about && (self.writes || !other.writes)
    }
}

impl FromStr for Scope {
    type Err = ScopeError;
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        match text.split_once(':') {
            None if text == "all" => Ok(Self::ALL),
            Some(("all", "read")) => Ok(Self { noun: None, writes: false }),
            Some((noun, "read")) => Self::of(noun, false).ok_or(ScopeError),
            Some((noun, "write")) => Self::of(noun, true).ok_or(ScopeError),
            _ => Err(ScopeError),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.noun, self.writes) {
            (None, true) => f.write_str("all"),
            (None, false) => f.write_str("all:read"),
            (Some(noun), true) => write!(f, "{noun}:write"),
            (Some(noun), false) => write!(f, "{noun}:read"),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

/// What a credential holds; none of them opens nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Everything.
    pub fn all() -> Self {
        Self(BTreeSet::from([Scope::ALL]))
    }
    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// In a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }
    /// Whether one of them includes that right.
    pub fn cover(&self, wanted: Scope) -> bool {
        self.0.iter().any(|held| held.covers(wanted))
    }
    /// Those of the others that are not included.
    pub fn lacking(&self, others: &Self) -> Self {
        others.iter().filter(|other| !self.cover(*other)).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.iter().map(|scope| scope.to_string()).collect();
        f.write_str(&texts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(texts: &[&str]) -> Scopes {
        texts.iter().map(|text| text.parse::<Scope>().unwrap()).collect()
    }

    #[test]
    fn every_scope_is_read_as_it_is_written() {
        assert!(Scope::every().count() > 20);
        for scope in Scope::every() {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        for bad in ["", "all:write", "nodes:read", "node", "node:", "node:Read", "node:read ", ":read", "*"] {
            assert_eq!(bad.parse::<Scope>(), Err(ScopeError), "{bad}");
        }
    }

    #[test]
    fn writing_includes_reading_and_nothing_includes_another_noun() {
        let cases = [
            ("all", "node:write", true),
            ("all", "all:read", true),
            ("all:read", "node:read", true),
            ("all:read", "node:write", false),
            ("all:read", "all", false),
            ("node:write", "node:read", true),
            ("node:read", "node:write", false),
            ("node:write", "role:read", false),
            ("node:write", "all:read", false),
        ];
        for (held, wanted, covered) in cases {
            assert_eq!(scopes(&[held]).cover(wanted.parse().unwrap()), covered, "{held} {wanted}");
        }
    }

    #[test]
    fn who_holds_every_noun_does_not_hold_all() {
        let each: Scopes = Scope::every().filter(|s| s.noun.is_some()).collect();
        assert_eq!(each.lacking(&Scopes::all()), Scopes::all());
        assert!(Scopes::all().lacking(&each).is_empty());
        assert_eq!(
            scopes(&["node:read"]).lacking(&scopes(&["node:read", "key:write"])),
            scopes(&["key:write"])
        );
        assert!(!Scopes::default().cover("node:read".parse().unwrap()));
    }
}
