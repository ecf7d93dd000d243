//! The files of the house.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::masked::Masked;

/// Folders that hold no sources of ours.
const NOT_OURS: [&str; 5] = ["target", ".git", "mesh-data", "node_modules", "captures"];

/// A file, its path relative to the root with forward slashes.
pub struct File {
    pub path: String,
    pub text: String,
}

impl File {
    /// The code with comments and literals blanked out.
    pub fn masked(&self) -> Masked {
        Masked::of(&self.text)
    }
}

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file below `folder` (relative to the root) whose name ends in `ending`, sorted by path.
/// A folder that is not there has no files.
pub fn files(folder: &str, ending: &str) -> Result<Vec<File>> {
    let mut paths = Vec::new();
    walk(&root().join(folder), &mut paths)?;
    let mut found = Vec::new();
    for path in paths {
        let name = relative(&path);
        if name.ends_with(ending) {
            let text = fs::read_to_string(&path).with_context(|| format!("reading {name}"))?;
            found.push(File { path: name, text });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// One file, by its path relative to the root.
pub fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| format!("reading {path}"))
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let kind = entry.file_type()?;
        if kind.is_dir() && !NOT_OURS.iter().any(|n| name == *n) {
            walk(&entry.path(), paths)?;
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
    Ok(())
}

fn relative(path: &Path) -> String {
    let root = root();
    let tail = path.strip_prefix(&root).unwrap_or(path);
    tail.to_string_lossy().replace('\\', "/")
}
