//! What is known of a backup without opening it, in a file beside it. It holds no secret.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use api::backup::{Manifest, Proof};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::file::{Whole, unwritable};
use crate::talk::Failure;

/// The end of the names that archives get by themselves.
pub const ENDING: &str = ".tar.age";

/// The receipt of one archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The moment that the backup is as of.
    pub made: Timestamp,
    /// What clients of that server are told.
    pub server_url: String,
    /// What a test restore found: before it was encrypted, or when it was last verified.
    pub proof: Proof,
    /// Who can open it.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// The archive's length.
    pub bytes: u64,
    /// SHA-256 of the archive, in hex.
    pub sha256: String,
    /// When it was last decrypted and opened; null when it never was.
    #[serde(default)]
    pub verified: Option<Timestamp>,
}

impl Receipt {
    /// Of an archive that was just written.
    pub fn of(manifest: &Manifest, whole: Whole, recipients: Vec<String>) -> Self {
        let Whole { bytes, sha256 } = whole;
        Self {
            made: manifest.made,
            server_url: manifest.server_url.clone(),
            proof: manifest.proof.clone(),
            recipients,
            bytes,
            sha256,
            verified: None,
        }
    }

    /// Where the receipt of an archive is.
    pub fn place(archive: &Path) -> PathBuf {
        let mut name = OsString::from(archive);
        name.push(".json");
        name.into()
    }

    /// The receipt beside an archive; `None` when there is none.
    pub fn beside(archive: &Path) -> Result<Option<Self>, Failure> {
        let place = Self::place(archive);
        if !place.is_file() {
            return Ok(None);
        }
        let text = fs::read_to_string(&place).map_err(|e| unreadable(&place, &e.to_string()))?;
        serde_json::from_str(&text).map(Some).map_err(|e| unreadable(&place, &e.to_string()))
    }

    /// Writes it, whole or not at all.
    pub fn keep(&self, archive: &Path) -> Result<(), Failure> {
        let place = Self::place(archive);
        let text = serde_json::to_string_pretty(self).map_err(|e| Failure::failed(e.to_string()))?;
        let temporary = place.with_extension("json.new");
        let written =
            fs::write(&temporary, format!("{text}\n")).and_then(|()| fs::rename(&temporary, &place));
        written.map_err(|e| unwritable(&place, &e))
    }
}

/// The archives of a folder, the oldest first, with their receipts.
pub fn in_folder(folder: &Path) -> Result<Vec<(PathBuf, Option<Receipt>)>, Failure> {
    let failed = |e: std::io::Error| Failure::failed(format!("cannot read {}: {e}", folder.display()));
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_archive = path.file_name().is_some_and(|n| n.to_string_lossy().ends_with(ENDING));
        if is_archive && path.is_file() {
            found.push((path.clone(), Receipt::beside(&path)?));
        }
    }
    found.sort_by_key(|(path, receipt)| (receipt.as_ref().map(|r| r.made), path.clone()));
    Ok(found)
}

fn unreadable(place: &Path, why: &str) -> Failure {
    Failure::failed(format!("cannot read the receipt {}: {why}", place.display()))
        .hint("`meshctl backup verify` writes it anew once it is moved away")
}
