//! What a policy of a thousand rules costs: `cargo bench -p policy`.
#![allow(clippy::unwrap_used, reason = "all of this is measuring code")]

use std::fmt::Write;

use divan::{Bencher, black_box};
use ident::Tag;
use policy::{Compiled, Policy, Subject};

const RULES: usize = 1000;
const TAGS: usize = 200;

fn main() {
    divan::main();
}

/// Every rule from one tag to another, some to ports, some to addresses.
fn text() -> String {
    let owners: Vec<_> = (0..TAGS).map(|n| format!(r#""tag:t{n}": []"#)).collect();
    let mut rules = String::new();
    for n in 0..RULES {
        let (from, to) = (n % TAGS, (n * 7 + 1) % TAGS);
        let target = match n % 3 {
            0 => format!("tag:t{to}:22,443"),
            1 => format!("tag:t{to}:*"),
            _ => format!("10.{}.0.0/16:8000-8999", n % 256),
        };
        let comma = if n == 0 { "" } else { "," };
        write!(rules, r#"{comma}{{"action": "accept", "src": ["tag:t{from}"], "dst": ["{target}"]}}"#)
            .unwrap();
    }
    format!(r#"{{"tagOwners": {{{}}}, "acls": [{rules}]}}"#, owners.join(", "))
}

#[divan::bench]
fn parse_1000_rules(bencher: Bencher) {
    let text = text();
    bencher.bench_local(|| Policy::parse(black_box(&text)).unwrap());
}

#[divan::bench]
fn compile_1000_rules(bencher: Bencher) {
    let policy = Policy::parse(&text()).unwrap();
    bencher.bench_local(|| Compiled::compile(black_box(&policy)));
}

#[divan::bench]
fn signature_of_a_node(bencher: Bencher) {
    let compiled = Compiled::compile(&Policy::parse(&text()).unwrap());
    let tags: Vec<Tag> = ["tag:t3", "tag:t77"].map(|tag| tag.parse().unwrap()).to_vec();
    let (v4, v6) = ("100.64.0.9".parse().unwrap(), "fd7a:115c:a1e0::9".parse().unwrap());
    let subject = Subject { tags: &tags, login: None, v4, v6, routes: &[], traits: None };
    bencher.bench_local(|| compiled.signature(black_box(&subject)));
}
