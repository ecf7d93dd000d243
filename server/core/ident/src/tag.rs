//! `tag:name`, the identity of a device that no person owns.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Why a text is not a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// The text does not begin with `tag:`.
    #[error("a tag begins with `tag:`")]
    Prefix,
    /// The name has another shape.
    #[error("a tag's name begins with a letter and has at most 63 letters, digits and hyphens")]
    Name,
}

/// `tag:` and a name: a letter, then letters, digits and hyphens, at most 63. Kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(Arc<str>);

impl Tag {
    /// The whole text, with `tag:`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The text behind `tag:`.
    pub fn name(&self) -> &str {
        &self.0["tag:".len()..]
    }
}

impl FromStr for Tag {
    type Err = TagError;
    fn from_str(s: &str) -> Result<Self, TagError> {
        let name = s.strip_prefix("tag:").ok_or(TagError::Prefix)?;
        let letter_first = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !letter_first || name.len() > 63 || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(TagError::Name);
        }
        Ok(Self(s.to_ascii_lowercase().into()))
    }
}

impl TryFrom<String> for Tag {
    type Error = TagError;
    fn try_from(s: String) -> Result<Self, TagError> {
        s.parse()
    }
}
impl From<Tag> for String {
    fn from(t: Tag) -> String {
        t.0.to_string()
    }
}
impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_and_hyphens() {
        assert_eq!("tag:Web-1".parse::<Tag>().unwrap().as_str(), "tag:web-1");
        for bad in ["web", "tag:", "tag:1web", "tag:we b", "tag:wéb", "tag:-a"] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
    }
}
