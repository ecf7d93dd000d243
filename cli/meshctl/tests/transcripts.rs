//! The pages under `tests/cli`, run against the real binary: what they show is what it says.
//!
//! A page is Markdown. In a `console` block, `$ meshctl …` is run and the lines below it are what it must say:
//! standard output, then standard error, then `[exit N]` unless it is 0. `…` stands for any text, alone in a line for
//! any lines. A block whose language is a file name is that file. A page with `<!-- server -->` gets a server in
//! `./mesh-data`, without a relay.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

#[path = "transcripts/page.rs"]
mod page;
#[path = "transcripts/stage.rs"]
mod stage;

use std::{fs, path::Path};

use page::{Block, Page, matches};
use stage::Stage;

fn play(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cli").join(name);
    let page = Page::parse(&fs::read_to_string(&path).unwrap());
    let stage = Stage::set(page.server);
    let mut commands = 0;
    for block in &page.blocks {
        match block {
            Block::File { name, text } => stage.write(name, text),
            Block::Command { line, words, expected } => {
                let said = stage.run(words);
                assert!(
                    matches(expected, &said),
                    "{name}:{line}: $ {}\n--- expected\n{}\n--- said\n{}\n",
                    words.join(" "),
                    expected.join("\n"),
                    said.join("\n")
                );
                commands += 1;
            }
        }
    }
    assert!(commands > 0, "{name} shows nothing");
}

#[test]
fn every_page_has_its_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cli");
    let mut pages: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    pages.sort();
    assert_eq!(
        pages,
        [
            "access.md",
            "agent.md",
            "check.md",
            "dns.md",
            "help.md",
            "inventory.md",
            "people.md",
            "policy-offline.md",
            "policy.md",
            "relay.md",
            "secrets.md",
            "server-config.md",
            "server-key.md",
            "two-servers.md",
            "usage.md",
            "verify.md",
            "where-to.md"
        ]
    );
}

#[test]
fn help() {
    play("help.md");
}

#[test]
fn inventory() {
    play("inventory.md");
}

#[test]
fn verify() {
    play("verify.md");
}

#[test]
fn usage() {
    play("usage.md");
}

#[test]
fn where_to() {
    play("where-to.md");
}

#[test]
fn server_config() {
    play("server-config.md");
}

#[test]
fn server_key() {
    play("server-key.md");
}

#[test]
fn two_servers() {
    play("two-servers.md");
}

#[test]
fn people() {
    play("people.md");
}

#[test]
fn check() {
    play("check.md");
}

#[test]
fn dns() {
    play("dns.md");
}

#[test]
fn secrets() {
    play("secrets.md");
}

#[test]
fn policy_offline() {
    play("policy-offline.md");
}

#[test]
fn policy() {
    play("policy.md");
}

#[test]
fn agent() {
    play("agent.md");
}

#[test]
fn relay() {
    play("relay.md");
}

#[test]
fn access() {
    play("access.md");
}
