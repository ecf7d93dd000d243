//! What is known of a kept lab, in a file that its owner alone may read.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::prerequisites::Clients;

pub(super) const FILE: &str = "lab.json";
pub(super) const DRAFT: &str = "lab.json.new";

/// The programs of a lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tools {
    /// The server, and the operator's command line.
    pub meshctl: PathBuf,
    pub clients: Clients,
    /// Clients of an older release, for the story that mixes them.
    pub older: Option<Clients>,
}

/// What is known of a lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    pub name: String,
    /// Random; what carries it belongs to the lab.
    pub id: String,
    pub phase: Phase,
    /// Seconds since 1970.
    pub begun: u64,
    /// From the first step until all clients were joined.
    pub seconds: f64,
    pub tools: Tools,
    /// Whether the folder of all labs was made for this one.
    pub made_base: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Building,
    Up,
}

impl Record {
    /// What the record of a lab that is not begun would say.
    pub fn planned(name: &str, tools: Tools) -> Self {
        let (name, id) = (name.to_owned(), String::new());
        Self { name, id, phase: Phase::Building, begun: 0, seconds: 0.0, tools, made_base: false }
    }

    pub(super) fn new(name: &str, tools: Tools, made_base: bool) -> Result<Self> {
        let id = fs::read_to_string("/proc/sys/kernel/random/uuid").context("no random id")?;
        let id = id.trim().to_owned();
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(Self { id, begun, made_base, ..Self::planned(name, tools) })
    }

    pub(super) fn load(dir: &Path) -> Result<Self> {
        let text = fs::read_to_string(dir.join(FILE))?;
        serde_json::from_str(&text).context("the record is damaged")
    }

    /// There whole or not at all.
    pub(super) fn save(&self, dir: &Path) -> Result<()> {
        let draft = dir.join(DRAFT);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(draft, dir.join(FILE)).context("cannot write the lab's record")
    }
}
