//! The folder of a stopped server: who restores or resets works on it, and keeps what was there.

use std::path::{Path, PathBuf};

use control::backup::Held;

use super::failure;
use crate::talk::{Check, Failure};

/// Where it is, and whether it is only looked at.
#[derive(clap::Args)]
pub struct Stopped {
    /// Folder of keys and database
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    #[command(flatten)]
    pub check: Check,
}

impl Stopped {
    /// The folder, which no server can use meanwhile.
    pub fn take(&self) -> Result<Held, Failure> {
        Held::take(&self.data_dir).map_err(|e| failure(&e))
    }
}

/// A line about what was there.
pub fn kept(aside: Option<&Path>) -> String {
    aside.map(|path| format!("what was there is in {}\n", path.display())).unwrap_or_default()
}
