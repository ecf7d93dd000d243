//! SOPS with age recipients, in YAML.
//!
//! The format is that of sops 3.9 to 3.13: every value on its own under AES-256-GCM with a nonce of 32 bytes, the keys
//! on the way as additional data; a MAC over all values in order; the data key in one armored age file per recipient.

mod comments;
mod file;
mod metadata;
mod rewrap;
mod rules;
mod select;
mod typed;
mod value;

pub use file::{Listed, Opened, has_sealed, list};
pub use rewrap::Rewrap;
pub use rules::{Rule, Rules};

use crate::{age, document};

/// Why a file is not opened or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Document(#[from] document::Error),
    #[error("it has no `sops` section of its own making: {0}")]
    Metadata(&'static str),
    #[error("{0} is not worked with here")]
    Unsupported(&'static str),
    #[error("the data key: {0}")]
    DataKey(age::Error),
    #[error("`{0}` does not open: it was changed, moved or belongs to another data key")]
    Value(String),
    #[error("`{0}` is not encrypted although the file's rules ask for it")]
    Naked(String),
    #[error("`{0}` stays in plain text by the file's rules: nothing secret belongs there")]
    NotEncrypted(String),
    #[error("the MAC does not fit: values were changed, added, taken away or moved")]
    Mac,
    #[error("`{0}` is not encrypted and its type is not certain; write it in quotes")]
    Type(String),
    #[error("the expression `{0}` is not understood")]
    Expression(String),
    #[error("the rules file: {0}")]
    Rules(String),
    #[error("no creation rule is for this file")]
    NoRule,
}
