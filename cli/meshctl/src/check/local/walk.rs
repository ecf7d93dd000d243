//! Folders of playbooks and documents.

use std::{
    fs,
    path::{Path, PathBuf},
};

use readiness::check::text::Text;

use crate::talk::Failure;

const DEEPEST: usize = 16;
const MOST_FILES: usize = 20_000;
const LONGEST_TEXT: u64 = 2 << 20;
/// What holds playbooks, documents and scripts.
const TEXTS: [&str; 8] = ["yml", "yaml", "md", "txt", "sh", "j2", "rst", "adoc"];
/// Folders that somebody else fills.
const FOREIGN: [&str; 5] = [".git", "node_modules", "target", ".venv", "venv"];

/// Every file with its name as it was named; in order, so that a hash of it is stable.
pub fn files(paths: &[PathBuf]) -> Result<Vec<(String, PathBuf)>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        let top = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(Path::new("")) };
        walk(path, top, DEEPEST, &mut found)?;
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The texts among them.
pub fn texts(paths: &[PathBuf]) -> Result<Vec<Text>, Failure> {
    let mut texts = Vec::new();
    for (_, path) in files(paths)? {
        let named = paths.contains(&path);
        let is_text = path.extension().is_some_and(|e| TEXTS.iter().any(|t| e.eq_ignore_ascii_case(t)));
        let length = fs::metadata(&path).map_or(0, |meta| meta.len());
        if !(named || is_text) || length > LONGEST_TEXT {
            continue;
        }
        let bytes = fs::read(&path).map_err(|e| unreadable(&path, &e))?;
        if let Ok(text) = String::from_utf8(bytes) {
            texts.push(Text { file: path.display().to_string(), text });
        }
    }
    Ok(texts)
}

fn walk(path: &Path, top: &Path, depth: usize, found: &mut Vec<(String, PathBuf)>) -> Result<(), Failure> {
    let meta = fs::symlink_metadata(path).map_err(|e| unreadable(path, &e))?;
    if meta.is_file() {
        if found.len() >= MOST_FILES {
            return Err(Failure::failed(format!("{} holds more than {MOST_FILES} files", top.display())));
        }
        let name = path.strip_prefix(top).unwrap_or(path).display().to_string();
        found.push((name, path.to_owned()));
        return Ok(());
    }
    let foreign = path.file_name().is_some_and(|name| FOREIGN.iter().any(|f| name == *f));
    if !meta.is_dir() || foreign || depth == 0 {
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(|e| unreadable(path, &e))?;
    for entry in entries {
        walk(&entry.map_err(|e| unreadable(path, &e))?.path(), top, depth - 1, found)?;
    }
    Ok(())
}

fn unreadable(path: &Path, e: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot read {}: {e}", path.display()))
}
