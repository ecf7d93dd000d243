//! A file with changes that are not committed is not rotated: the way back would lead through them.

use std::{path::Path, process::Command};

use crate::talk::Failure;

/// Refuses a file under git with changes that are not committed.
pub fn refuse_dirty(file: &Path) -> Result<(), Failure> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    if !folder.ancestors().any(|f| f.join(".git").exists()) {
        return Ok(());
    }
    let hint = "commit it, or go on with --allow-dirty";
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["status", "--porcelain", "--"]).arg(file);
    let output = command.output();
    let output = output.map_err(|e| Failure::unknown(format!("cannot ask git: {e}")).hint(hint))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Failure::unknown(format!("cannot ask git: {said}")).hint(hint));
    }
    if output.stdout.trim_ascii().is_empty() {
        return Ok(());
    }
    let detail = format!("{} has changes that are not committed", file.display());
    Err(Failure::failed(detail).code("dirty").hint(hint))
}
