//! The page about this interface: every row names a test of this program, and it is there.

use std::{fs, path::Path, process::Command};

#[test]
fn every_row_names_a_test_that_is_there() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/compat-v1.md");
    let page = fs::read_to_string(path).unwrap();
    let rows = page.lines().filter(|l| l.starts_with('|') && !l.starts_with("|---"));
    let rows: Vec<Vec<&str>> =
        rows.map(|l| l.trim_matches('|').split('|').map(str::trim).collect()).collect();
    assert!(rows.len() > 20, "only {} rows", rows.len());
    let own = std::env::current_exe().unwrap();
    let listed = Command::new(own).args(["--list", "--format", "terse"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut named = 0;
    for row in rows.iter().filter(|row| row.last() != Some(&"test")) {
        let name = row.last().unwrap().trim_matches('`');
        let is_there = listed.lines().any(|line| line == format!("v1::{name}: test"));
        assert!(is_there, "no test v1::{name} for the row {row:?}");
        named += 1;
    }
    assert_eq!(named + rows.iter().filter(|row| row.last() == Some(&"test")).count(), rows.len());
}
