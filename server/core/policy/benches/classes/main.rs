//! Compiling, class partition, visibility, one join (or one change of tags) into a class that exists and into a new one,
//! from 100 to 50,000 nodes.
//!
//! `cargo bench -p policy --bench classes` prints the table of docs/reference/performance.md; behind `--` a shape
//! (`allow-all`, `roles`, `self`, `subnets`) picks some rows, and `--nodes N`, `--rules N` narrow further.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints numbers")]

mod fleet;
mod partition;

use std::{env, process::Command, time::Duration};

use fleet::{SHAPES, Shape};
use partition::{median, partition, row, timed, visibility};
use policy::{Compiled, Policy};

const NODES: [usize; 4] = [100, 1_000, 10_000, 50_000];
const RULES: [usize; 3] = [10, 100, 1_000];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<usize>().ok()
    };
    let (nodes, rules) = (value("--nodes"), value("--rules"));
    let chosen = |shape: &Shape| {
        let named = SHAPES.iter().any(|known| arguments.iter().any(|argument| argument == known.name()));
        !named || arguments.iter().any(|argument| argument == shape.name())
    };
    if let ("--measure", Some(nodes), Some(rules)) =
        (arguments.first().map_or("", String::as_str), nodes, rules)
    {
        return println!("{}", measured(*SHAPES.iter().find(|shape| chosen(shape)).unwrap(), rules, nodes));
    }
    println!(
        "| topology | rules | nodes | classes | compile ms | classes ms | visibility ms | join µs | new class µs | MiB | exponent |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for shape in SHAPES.into_iter().filter(chosen) {
        for rules in RULES.into_iter().filter(|count| rules.is_none_or(|wanted| wanted == *count)) {
            let mut before: Option<(usize, f64)> = None;
            for nodes in NODES.into_iter().filter(|count| nodes.is_none_or(|wanted| wanted == *count)) {
                let (line, cost) = in_own_process(shape, rules, nodes);
                let exponent = before.map_or(String::new(), |(fewer, less)| {
                    format!("{:.2}", (cost / less).ln() / (nodes as f64 / fewer as f64).ln())
                });
                println!("| {} | {rules} | {nodes} | {line} | {exponent} |", shape.name());
                before = Some((nodes, cost));
            }
        }
    }
}

/// The row, and milliseconds of classes and visibility together. A process of its own makes its memory its own.
fn in_own_process(shape: Shape, rules: usize, nodes: usize) -> (String, f64) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--measure", shape.name(), "--rules", &rules.to_string(), "--nodes", &nodes.to_string()]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let line = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let cells: Vec<f64> = line.split('|').filter_map(|cell| cell.trim().parse().ok()).collect();
    (line, cells[2] + cells[3])
}

fn measured(shape: Shape, rules: usize, nodes: usize) -> String {
    let runs = if nodes > 1_000 { 5 } else { 21 };
    let policy = Policy::parse(&fleet::policy(shape, rules)).unwrap();
    let members = fleet::fleet(shape, rules, nodes);
    let before = resident_kib();
    let compile = median(runs, || Compiled::compile(&policy));
    let compiled = Compiled::compile(&policy);
    let (_, parted) = timed(|| partition(&compiled, &members));
    let classes: Vec<_> = parted.ids.keys().collect();
    let (_, visible) = timed(|| visibility(&compiled, &classes));
    let memory = resident_kib().saturating_sub(before);
    let partitioning = median(runs, || partition(&compiled, &members));
    let seeing = median(runs, || visibility(&compiled, &classes));
    // A node that joins, or is given other tags, is of a class that exists, or it needs a class and a row of its own.
    let find = |member: &fleet::Member| {
        let signature = compiled.signature(&member.subject());
        (!parted.ids.contains_key(&signature)).then(|| row(&compiled, &signature, &classes))
    };
    let newcomers: Vec<_> = (0..101).map(|n| fleet::member(shape, rules, nodes + n)).collect();
    let mixed: Vec<_> = (0..101).map(|n| fleet::mixed(rules, n)).collect();
    let (mut first, mut second) = (newcomers.iter().cycle(), mixed.iter().cycle());
    let joining = median(101, || find(first.next().unwrap()));
    let retag = median(101, || find(second.next().unwrap()));
    assert_eq!((visible.len(), parted.class_of.len()), (classes.len(), nodes));
    format!(
        "{} | {:.2} | {:.2} | {:.2} | {:.1} | {:.1} | {:.1}",
        classes.len(),
        ms(compile),
        ms(partitioning),
        ms(seeing),
        1e3 * ms(joining),
        1e3 * ms(retag),
        memory as f64 / 1024.0
    )
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(
    clippy::disallowed_methods,
    reason = "the kernel tells memory in a file, and this is no part of the crate"
)]
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
