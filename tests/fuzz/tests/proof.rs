//! The fuzzer finds faults: each kind of fault is planted, found, saved, cut down and found again from the file.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

#[cfg(test)]
mod stage {
    use super::*;

    pub fn fuzz(folder: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fuzz"));
        command.arg("--save").arg(folder.join("save")).arg("--regressions").arg(folder.join("regressions"));
        command.args(arguments).output().unwrap()
    }

    pub fn said(output: &Output) -> String {
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a broken target; what was said and the saved input.
    pub fn found(kind: &str, seconds: &str) -> (String, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let output =
            fuzz(folder.path(), &[kind, "--seed", "1", "--seconds", seconds, "--per-input-ms", "500"]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(&format!("test {kind} ... FAILED")), "{text}");
        assert!(text.contains("test result: FAILED. 0 passed; 1 failed"), "{text}");
        let saved: Vec<_> =
            fs::read_dir(folder.path().join("save")).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [file] = saved.as_slice() else { panic!("{saved:?}") };
        assert!(text.contains(&file.display().to_string()), "{text}");
        (text, fs::read(file).unwrap())
    }
}
use stage::{found, fuzz, said};

#[test]
fn a_broken_law_is_found_and_cut_down() {
    let (text, input) = found("broken-law", "10");
    assert!(text.contains("a law is broken: there is an X"), "{text}");
    assert_eq!(input, b"X");
}

#[test]
fn a_panic_is_found_with_its_place() {
    let (text, input) = found("broken-panic", "10");
    assert!(text.contains("panicked: ") && text.contains("broken.rs:"), "{text}");
    assert_eq!(input, b"X");
}

#[test]
fn a_stack_overflow_is_found() {
    let (text, input) = found("broken-overflow", "10");
    assert!(
        text.contains("the process died: signal 6") || text.contains("the process died: signal 11"),
        "{text}"
    );
    assert_eq!(input, b"X");
}

#[test]
fn hunger_for_memory_is_found() {
    let (text, input) = found("broken-memory", "10");
    assert!(text.contains("the process died") && text.contains("allocation"), "{text}");
    assert_eq!(input, b"X");
}

#[test]
fn a_slow_input_is_found() {
    let (text, input) = found("broken-slow", "10");
    assert!(text.contains("ms of CPU time"), "{text}");
    assert!(input.contains(&b'X'));
}

#[test]
fn an_endless_input_is_found() {
    let (text, input) = found("broken-endless", "10");
    assert!(text.contains("did not end within"), "{text}");
    assert!(input.contains(&b'X'));
}

/// Four bytes that nobody guesses at once: only who keeps what led to something new gets there.
#[test]
fn outcomes_lead_the_way() {
    let (_, input) = found("broken-hidden", "60");
    assert_eq!(input, b"mesh");
}

#[test]
fn what_was_found_once_is_tried_first() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("regressions/broken-hidden");
    fs::create_dir_all(&kept).unwrap();
    fs::write(kept.join("a-word"), b"mesh").unwrap();
    let output = fuzz(folder.path(), &["broken-hidden", "--seed", "1", "--seconds", "0"]);
    assert!(said(&output).contains("the word was said"), "{}", said(&output));
    let file = kept.join("a-word").display().to_string();
    let output = fuzz(folder.path(), &["broken-hidden", "--replay", &file]);
    assert_eq!((output.status.code(), said(&output).trim()), (Some(1), "a law is broken: the word was said"));
}

#[test]
fn the_same_seed_gives_the_same_inputs() {
    let once = || {
        let folder = tempfile::tempdir().unwrap();
        let output = fuzz(folder.path(), &["broken-hidden", "--seed", "7", "--seconds", "60"]);
        assert_eq!(output.status.code(), Some(1));
        let saved = fs::read_dir(folder.path().join("save")).unwrap().next().unwrap().unwrap();
        (saved.file_name(), fs::read(saved.path()).unwrap())
    };
    assert_eq!(once(), once());
}

/// Everything that was ever found, and a second of each target.
#[test]
fn nothing_is_found_in_the_house() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fuzz"));
    let output =
        command.arg("--save").arg(folder.path()).args(["--seed", "1", "--seconds", "8"]).output().unwrap();
    assert!(output.status.success(), "{}{}", said(&output), String::from_utf8_lossy(&output.stderr));
}

/// Without seeds a target would try nothing of worth, and find nothing.
#[test]
fn every_target_has_seeds() {
    for (target, least) in fuzz::targets().iter().zip([4, 12, 3, 300, 20, 10, 5, 10]) {
        assert!(target.seeds().len() >= least, "{} has {} seeds", target.name(), target.seeds().len());
    }
}

#[test]
fn an_unknown_target_is_named() {
    let output = fuzz(Path::new("."), &["polcy"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no target is called \"polcy\""));
}
