//! Files that are no policies, in every way: a clear error with a place, soon, and never a panic.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// Of processor time, in seconds: a file that is refused is refused at once.
const CPU_SECONDS: u64 = 20;
/// Of memory, in bytes.
const MEMORY: u64 = 2 << 30;

fn run(folder: &TempDir, words: &[&str]) -> Output {
    let bounded = format!("ulimit -t {CPU_SECONDS} && ulimit -v {} && exec \"$0\" \"$@\"", MEMORY >> 10);
    let mut command = Command::new("sh");
    command.args(["-c", &bounded, env!("CARGO_BIN_EXE_meshctl")]).args(words);
    command.env_clear().env("HOME", folder.path()).current_dir(folder.path()).stdin(Stdio::null());
    command.output().unwrap()
}

fn check(content: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p.hujson"), content).unwrap();
    let output = run(&folder, &["policy", "check", "p.hujson"]);
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.lines().count() < 2_000 && text.lines().all(|line| line.len() < 2_000), "{text}");
    text
}

#[test]
fn each_kind_of_nonsense_has_its_words() {
    let deep = "[".repeat(100_000);
    let big = format!("{{\"groups\": {{}}}} // {}", "x".repeat(10 << 20));
    let list = vec!["\"10.0.0.0/33\""; 60_000].join(",");
    let cidrs = format!("{{\"hosts\": {{\"a\": \"10.0.0.1\"}}, \"ipsets\": {{\"ipset:x\": [{list}]}}}}");
    let cases: [(&[u8], &[&str]); 11] = [
        (b"", &["p.hujson:1:1", "the policy is empty", "hint: write {}"]),
        (b"{\"groups\": {\"group:a\": [\"group:a\"]}}", &["p.hujson:1:25", "cannot be recursive"]),
        (b"{\n  \"groups\": \xff\n}", &["p.hujson:2:13", "not UTF-8"]),
        (b"\xef\xbb\xbf{}", &["p.hujson:1:1", "byte order mark", "hint: save it as UTF-8 without one"]),
        (b"{\r\n  \"acls\": 7,\r\n}\r\n", &["p.hujson:2:11", "^", "must be a list"]),
        (b"{\"acls\": [", &["p.hujson:1:", "not HuJSON"]),
        (b"{\"acsl\": []}", &["p.hujson:1:2", "no section \"acsl\"", "did you mean \"acls\"?"]),
        (b"\0", &["p.hujson:1:1"]),
        (deep.as_bytes(), &["p.hujson:1:33", "nests at most"]),
        (big.as_bytes(), &["p.hujson:1:1", "has at most 1048576 bytes"]),
        (cidrs.as_bytes(), &["p.hujson:1:"]),
    ];
    for (content, wanted) in cases {
        let said = check(content);
        for words in wanted {
            let shown = String::from_utf8_lossy(&content[..content.len().min(60)]);
            assert!(said.contains(words), "{shown}\n--- wants {words:?}\n--- said\n{said}");
        }
    }
}

#[test]
fn line_ends_of_either_kind_are_the_same_policy() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p"), "{\r\n  // a remark\r\n  \"acls\": [],\r\n}\r\n").unwrap();
    let output = run(&folder, &["policy", "check", "p"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "the policy is valid\n");
}

#[test]
fn a_snapshot_that_is_none_is_refused_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p"), "{}").unwrap();
    for bad in ["", "[]", "{\"nodes\": [{}]}", "{\"nodes\": 7}", "\u{0}"] {
        fs::write(folder.path().join("n"), bad).unwrap();
        let output = run(&folder, &["policy", "diff", "p", "p", "--nodes", "n"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("n is no snapshot of nodes") && said.contains("hint: "), "{said}");
    }
}

/// A thousand devices and a change of one rule make a few lines, not a million.
#[test]
fn a_large_mesh_is_told_in_few_lines() {
    let folder = tempfile::tempdir().unwrap();
    let node = |n: usize| {
        let (tag, high, low) = (["tag:web", "tag:db"][n % 2], n / 250, n % 250 + 1);
        format!(
            "{{\"name\": \"n{n}\", \"tags\": [\"{tag}\"], \"ipv4\": \"100.64.{high}.{low}\", \"ipv6\": \"fd7a:115c:a1e0::{n:x}\"}}"
        )
    };
    let nodes = (0..1000).map(node).collect::<Vec<_>>().join(",");
    fs::write(folder.path().join("nodes.json"), format!("{{\"nodes\": [{nodes}]}}")).unwrap();
    let policy = |port: u16| {
        format!(
            "{{\"tagOwners\": {{\"tag:web\": [], \"tag:db\": []}}, \"acls\": [{{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"tag:db:{port}\"]}}]}}"
        )
    };
    fs::write(folder.path().join("old"), policy(22)).unwrap();
    fs::write(folder.path().join("new"), policy(23)).unwrap();
    let output = run(&folder, &["policy", "diff", "old", "new", "--nodes", "nodes.json"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.lines().count() < 20 && said.contains("499500 pairs of devices"), "{said}");
}
