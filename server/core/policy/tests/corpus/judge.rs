//! All cases against the list of those that cannot pass.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compare;

/// Most cases that may be listed as impossible.
const MOST_IMPOSSIBLE: usize = 8;
const IMPOSSIBLE: &str = include_str!("../../../../../tests/policy/corpus/impossible.txt");
const FILES: [&str; 7] = [
    include_str!("../../../../../tests/policy/corpus/acl.jsonl"),
    include_str!("../../../../../tests/policy/corpus/grant.jsonl"),
    include_str!("../../../../../tests/policy/corpus/nodeattrs.jsonl"),
    include_str!("../../../../../tests/policy/corpus/policytest.jsonl"),
    include_str!("../../../../../tests/policy/corpus/routes.jsonl"),
    include_str!("../../../../../tests/policy/corpus/ssh.jsonl"),
    include_str!("../../../../../tests/policy/corpus/sshtest.jsonl"),
];

pub fn cases() -> Vec<Value> {
    let lines = FILES.iter().flat_map(|text| text.lines());
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Fails with every case that has another answer, unless it is listed, and with every listed one that has the right one.
pub fn check(cases: &[Value]) {
    let impossible = impossible();
    assert!(impossible.len() <= MOST_IMPOSSIBLE);
    let mut wrong = Vec::new();
    for case in cases {
        let id = case["id"].as_str().unwrap();
        match (compare::differences(case), impossible.contains(id)) {
            (Err(what), false) => wrong.push(format!("{id}: {what}")),
            (Ok(()), true) => wrong.push(format!("{id}: passes, though it is listed as impossible")),
            (Ok(()), false) | (Err(_), true) => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The ids that are listed; the rest of a line says why.
fn impossible() -> BTreeSet<&'static str> {
    let lines = IMPOSSIBLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').expect("an id and a reason").0).collect()
}
