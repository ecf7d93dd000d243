//! The processes that hold the hosts of a kept lab, known by a word in their command line.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::patience::until;
use crate::process::runs;

const PROGRAM: &str = "unshare";

/// The beginning of the word; the host's name follows.
pub(super) fn mark(id: &str) -> String {
    format!("meshctl-lab:{id}")
}

/// Host and number of its holder, for all hosts of the lab `id` that are there.
pub(super) fn of(id: &str) -> Result<BTreeMap<String, u32>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // one that ends in between has nothing to say
        let Ok(words) = fs::read(entry.path().join("cmdline")) else { continue };
        if let Some(host) = held(&words, id) {
            found.insert(host, number);
        }
    }
    Ok(found)
}

/// Ends the hosts of the lab `id` and waits for it. The kernel ends what runs on them, and takes wires and mounts away.
pub(super) fn end(id: &str, limit: Duration) -> Result<()> {
    until(limit, "the hosts to end", || {
        let left = of(id)?;
        for number in left.values() {
            // it may be gone since it was seen
            let _ = kill(Pid::from_raw(number.cast_signed()), Signal::SIGKILL);
        }
        let running = left.values().any(|number| runs(number.cast_signed(), None));
        Ok((!running).then_some(()))
    })
}

/// The host that the process with this command line holds for the lab `id`.
fn held(cmdline: &[u8], id: &str) -> Option<String> {
    let mut words = cmdline.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let program = words.next()?;
    if program.rsplit('/').next() != Some(PROGRAM) || id.is_empty() {
        return None;
    }
    let mark = format!("{}:", mark(id));
    words.find_map(|word| word.strip_prefix(&mark).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_holder_of_this_lab_is_one() {
        let line = |words: &[&str]| words.join("\0").into_bytes();
        let ours = ["unshare", "--net", "sh", "-c", "script", "meshctl-lab:7f:a", "a", "/run/x"];
        assert_eq!(held(&line(&ours), "7f"), Some("a".into()));
        assert_eq!(held(&line(&ours), "7"), None, "another lab, whose id begins the same");
        assert_eq!(held(&line(&ours), ""), None);
        assert_eq!(held(&line(&["vim", "meshctl-lab:7f:a"]), "7f"), None, "somebody who reads about it");
        assert_eq!(held(b"", "7f"), None);
    }
}
