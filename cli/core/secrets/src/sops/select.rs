//! Which values of a file are to be encrypted.

use regex::Regex;

use super::Error;
use crate::document::{Node, Place};

/// The rule of one file.
#[derive(Debug, Clone)]
pub enum Select {
    UnencryptedSuffix(String),
    EncryptedSuffix(String),
    UnencryptedRegex(Regex),
    EncryptedRegex(Regex),
}

impl Select {
    /// From the members of the `sops` section; without one, everything but keys that end in `_unencrypted`.
    pub fn of(section: &Node) -> Result<Self, Error> {
        if ["unencrypted_comment_regex", "encrypted_comment_regex"].iter().any(|k| section.get(k).is_some()) {
            return Err(Error::Unsupported("a choice of values by their comments"));
        }
        let text = |key: &str| section.get(key).and_then(Node::text).filter(|t| !t.is_empty());
        let expression = |e: &str| Regex::new(e).map_err(|_| Error::Expression(e.to_owned()));
        let mut found = Vec::new();
        if let Some(suffix) = text("unencrypted_suffix") {
            found.push(Self::UnencryptedSuffix(suffix.to_owned()));
        }
        if let Some(suffix) = text("encrypted_suffix") {
            found.push(Self::EncryptedSuffix(suffix.to_owned()));
        }
        if let Some(e) = text("unencrypted_regex") {
            found.push(Self::UnencryptedRegex(expression(e)?));
        }
        if let Some(e) = text("encrypted_regex") {
            found.push(Self::EncryptedRegex(expression(e)?));
        }
        match found.len() {
            0 => Ok(Self::UnencryptedSuffix("_unencrypted".to_owned())),
            1 => found.pop().ok_or(Error::Metadata("no rule")),
            _ => Err(Error::Metadata("several rules say what is encrypted")),
        }
    }
    /// Whether the value at this place is to be encrypted: every key on the way counts.
    pub fn takes(&self, place: &Place) -> bool {
        match self {
            Self::UnencryptedSuffix(s) => !place.keys().any(|k| k.ends_with(s)),
            Self::EncryptedSuffix(s) => place.keys().any(|k| k.ends_with(s)),
            Self::UnencryptedRegex(e) => !place.keys().any(|k| e.is_match(k)),
            Self::EncryptedRegex(e) => place.keys().any(|k| e.is_match(k)),
        }
    }
}
