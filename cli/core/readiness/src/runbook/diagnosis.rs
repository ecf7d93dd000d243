//! Which server it is: by its Noise key, its database and its devices, not by its name.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What tells a server from another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The public Noise key, which clients hold on to.
    pub public_key: String,
    /// The one before it, while that is accepted too.
    pub previous_key: Option<String>,
    /// The database, by the name that it drew when it was made.
    pub database: String,
    /// The machine keys of its devices.
    pub machines: BTreeSet<String>,
}

impl Identity {
    /// Whether a client that holds on to this key is served.
    fn accepts(&self, key: &str) -> bool {
        self.public_key == key || self.previous_key.as_deref() == Some(key)
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Diagnosis {
    /// It does not answer.
    Unreachable,
    /// Key, database and devices are what they were.
    Intact,
    /// Key and database are, and devices are missing.
    Older,
    /// The key is, the database is another one.
    Emptied,
    /// The key is another one.
    AnotherServer,
}

impl Diagnosis {
    /// From what it was to what is found.
    pub fn of(before: &Identity, found: Option<&Identity>) -> Self {
        match found {
            None => Self::Unreachable,
            Some(found) if !found.accepts(&before.public_key) => Self::AnotherServer,
            Some(found) if found.database != before.database => Self::Emptied,
            Some(found) if !before.machines.is_subset(&found.machines) => Self::Older,
            Some(_) => Self::Intact,
        }
    }

    /// For people, with what it means to clients.
    pub fn words(self) -> &'static str {
        match self {
            Diagnosis::Unreachable => {
                "the server does not answer: start it, or name a backup and its data folder"
            }
            Diagnosis::Intact => "Noise key and devices are what they were",
            Diagnosis::Older => {
                "an older state of the same database: devices are missing that have to join again"
            }
            Diagnosis::Emptied => {
                "the Noise key is the same and the database another one: devices reach it and have to join again"
            }
            Diagnosis::AnotherServer => {
                "the Noise key is another one: every client fails in its handshake until it joins again"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(key: &str, database: &str, machines: &[&str]) -> Identity {
        let machines = machines.iter().map(|m| (*m).to_owned()).collect();
        Identity { public_key: key.into(), previous_key: None, database: database.into(), machines }
    }

    #[test]
    fn a_server_is_known_by_its_key_then_by_its_database_then_by_its_devices() {
        let before = server("k", "d", &["a", "b"]);
        let of = |found: &Identity| Diagnosis::of(&before, Some(found));
        assert_eq!(Diagnosis::of(&before, None), Diagnosis::Unreachable);
        assert_eq!(of(&server("k", "d", &["a", "b", "c"])), Diagnosis::Intact);
        assert_eq!(of(&server("k", "d", &["a"])), Diagnosis::Older);
        assert_eq!(of(&server("k", "e", &[])), Diagnosis::Emptied);
        assert_eq!(of(&server("k", "e", &["a", "b"])), Diagnosis::Emptied);
        assert_eq!(of(&server("l", "d", &["a", "b"])), Diagnosis::AnotherServer);
        let rotated = Identity { previous_key: Some("k".into()), ..server("l", "d", &["a", "b"]) };
        assert_eq!(of(&rotated), Diagnosis::Intact);
    }
}
