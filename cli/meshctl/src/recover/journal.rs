//! How far a recovery has come, on the disk after every step. It names files and holds no secret.

use std::path::{Path, PathBuf};

use readiness::runbook::Runbook;
use serde::{Deserialize, Serialize};

use super::run::Wishes;
use crate::talk::{Failure, SecretFile, read_text};

/// One recovery.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Journal {
    /// What was asked for.
    pub wishes: Wishes,
    /// What came of it.
    pub runbook: Runbook,
}

impl Journal {
    pub fn load(path: &Path) -> Result<Self, Failure> {
        serde_json::from_str(&read_text(path)?).map_err(|e| {
            Failure::usage(format!("{}: {e}", path.display()))
                .hint("`meshctl recover run --plan FILE` begins one")
        })
    }
    pub fn keep(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Failure::failed(e.to_string()))?;
        SecretFile::prepare(path)?.commit(&text)
    }
    /// Where it is, when nobody says: beside the plan.
    pub fn beside(plan: &Path) -> PathBuf {
        plan.with_extension("recovery.json")
    }
}
