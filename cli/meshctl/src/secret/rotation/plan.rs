//! What a rotation remembers: names and commands, no secret.

use std::path::{Path, PathBuf};

use ident::Secret;
use serde::{Deserialize, Serialize};

use super::{Consumer, Kind};
use crate::{
    secret::{
        keys::{KeyArgs, RecipientArgs},
        set::Target,
    },
    talk::{Context, Failure},
};

/// Everything that was said on the command line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    pub kind: Kind,
    pub subject: Subject,
    pub consumer: Consumer,
    /// The server whose credentials these are.
    pub server: Option<String>,
    /// Where relative names and commands begin.
    pub base: PathBuf,
}

/// The value that is rotated.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Subject {
    pub file: PathBuf,
    pub var: Option<String>,
    pub keys: KeyArgs,
    pub recipients: RecipientArgs,
}

impl Subject {
    /// The value as it stands in these bytes; an error when it is not there.
    pub fn value(&self, context: &Context, bytes: &[u8], base: &Path) -> Result<Secret<Vec<u8>>, Failure> {
        self.target(base).value(context, bytes)
    }
    /// The value, or none when the file does not have it yet.
    pub fn value_if_any(&self, context: &Context, bytes: &[u8]) -> Result<Option<Secret<Vec<u8>>>, Failure> {
        match self.value(context, bytes, Path::new("")) {
            Ok(value) => Ok(Some(value)),
            Err(e) if e.code == "no_such_value" && self.var.is_some() => Ok(None),
            Err(e) => Err(e),
        }
    }
    /// How it is read and written.
    pub fn target<'a>(&'a self, base: &'a Path) -> Target<'a> {
        Target {
            file: &self.file,
            var: self.var.as_deref(),
            label: None,
            create: true,
            keys: &self.keys,
            recipients: &self.recipients,
            base,
        }
    }
}

/// A name that no other rotation has.
pub fn new_id() -> Result<String, Failure> {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).map_err(|_| Failure::failed("the operating system gives no random bytes"))?;
    Ok(format!("r-{:016x}", u64::from_be_bytes(bytes)))
}
