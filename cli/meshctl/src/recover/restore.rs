//! The step that is tried before anything is made anew: a backup, on the host of the server.

use std::process::Command;

use control::backup::{Held, Staged};
use jiff::Timestamp;
use readiness::runbook::Outcome;

use super::run::Wishes;
use crate::backup::failure;

/// Stops the server, restores, starts it again. Without a data folder it is somebody else's turn.
pub fn restore(wishes: &Wishes) -> Outcome {
    let Some(backup) = &wishes.backup else { return Outcome::Skipped("no backup was named".to_owned()) };
    let Some(data_dir) = &wishes.data_dir else {
        return Outcome::Waiting(format!(
            "on the server's host: meshctl backup restore {} --age-identity FILE --data-dir DIR --force",
            backup.display()
        ));
    };
    match attempt(wishes, backup, data_dir) {
        Ok(note) => Outcome::Done(note),
        Err(why) => Outcome::Failed(why),
    }
}

fn attempt(wishes: &Wishes, backup: &std::path::Path, data_dir: &std::path::Path) -> Result<String, String> {
    if let Some(command) = &wishes.stop_server {
        shell(command)?;
    }
    let now = Timestamp::now();
    let reader = wishes.opener.open(backup).map_err(|e| e.detail)?;
    let words = |e| failure(&e).detail;
    let held = Held::take(data_dir).map_err(words)?;
    let staged = Staged::unpack(&held, reader, now).map_err(words)?;
    let made = staged.manifest().made;
    let done = staged.put(&held, now).map_err(words)?;
    drop(held);
    if let Some(command) = &wishes.start_server {
        shell(command)?;
    }
    let aside =
        done.aside.map(|path| format!("; what was there is in {}", path.display())).unwrap_or_default();
    Ok(format!("as of {made}{aside}"))
}

fn shell(command: &str) -> Result<(), String> {
    let status = Command::new("/bin/sh").args(["-c", command]).stdout(std::process::Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{command}` ended with {status}")),
        Err(e) => Err(format!("`{command}`: {e}")),
    }
}
