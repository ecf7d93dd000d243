//! Who may know whom: the tables of `docs/ARCHITECTURE.md` against the sources.

use std::collections::{BTreeMap, BTreeSet};

use rooms::{edges, page, references, tree};

const PAGE: &str = "docs/ARCHITECTURE.md";

/// What a crate under `core/` cannot need: runtimes, sockets, storage, randomness.
const NOT_IN_A_CORE: [&str; 12] = [
    "tokio",
    "tokio-util",
    "hyper",
    "axum",
    "reqwest",
    "rustls",
    "tokio-rustls",
    "rusqlite",
    "getrandom",
    "rand",
    "nix",
    "tracing",
];

fn crates() -> anyhow::Result<BTreeMap<String, page::Allowed>> {
    let text = tree::read(PAGE)?;
    let mut crates = page::table(&text, "crate", "depends on")?;
    crates.extend(page::table(&text, "tests crate", "depends on")?);
    Ok(crates)
}

fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_edge_between_crates_is_in_the_table() {
    let table = crates().unwrap();
    let members = edges::members().unwrap();
    let names: BTreeSet<_> = members.iter().map(|m| m.name.as_str()).collect();
    let mut complaints = Vec::new();
    for member in &members {
        let Some(allowed) = table.get(&member.name) else {
            complaints.push(format!("`{}` has no row in {PAGE}", member.name));
            continue;
        };
        let ours = member.uses.iter().filter(|u| names.contains(u.as_str()) && !allowed.contains_key(*u));
        complaints
            .extend(ours.map(|u| format!("`{}` uses `{u}`, which its row does not allow", member.name)));
    }
    let gone = table.keys().filter(|k| !names.contains(k.as_str()));
    complaints.extend(gone.map(|k| format!("{PAGE} has a row for `{k}`, which is no crate")));
    none(complaints);
}

#[test]
fn an_edge_limited_to_some_modules_stays_there() {
    let table = crates().unwrap();
    let mut complaints = Vec::new();
    for member in edges::members().unwrap() {
        let limited = table[&member.name].iter().filter(|(_, modules)| !modules.is_empty());
        for (other, modules) in limited {
            let source = format!("{}/src/", member.folder);
            for file in tree::files(&source, ".rs").unwrap() {
                let inside = file.path.trim_start_matches(source.as_str());
                let lawful = modules.iter().any(|m| is_in_module(inside, m));
                if !lawful && references::names_crate(&file.masked().code, other) {
                    complaints.push(format!("{} names `{other}`, which is for {modules:?} only", file.path));
                }
            }
        }
    }
    none(complaints);
}

#[test]
fn the_rooms_inside_control_use_only_what_lies_below_them() {
    let table = page::table(&tree::read(PAGE).unwrap(), "inside control", "may use").unwrap();
    let source = "server/control/src/";
    let mut complaints = Vec::new();
    let mut built = BTreeSet::new();
    for file in tree::files(source, ".rs").unwrap() {
        let inside = file.path.trim_start_matches(source);
        let room = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        if room == "lib" {
            continue;
        }
        built.insert(room.to_owned());
        let Some(allowed) = table.get(room) else {
            complaints.push(format!("`{room}` has no row among the rooms inside control"));
            continue;
        };
        if allowed.contains_key("all") {
            continue;
        }
        let used = references::own_modules(&file.masked().code);
        let foreign =
            used.iter().filter(|u| u.as_str() != room && table.contains_key(*u) && !allowed.contains_key(*u));
        complaints.extend(
            foreign.map(|u| format!("{} uses `crate::{u}`, which its row does not allow", file.path)),
        );
    }
    let gone = table.keys().filter(|k| !built.contains(*k));
    complaints.extend(gone.map(|k| format!("{PAGE} has a row for `{k}`, which is no room inside control")));
    complaints.sort();
    complaints.dedup();
    none(complaints);
}

#[test]
fn the_rooms_inside_control_stand_on_each_other_without_a_circle() {
    let mut table = page::table(&tree::read(PAGE).unwrap(), "inside control", "may use").unwrap();
    table.retain(|_, uses| !uses.contains_key("all"));
    while let Some(lowest) = table.iter().find(|(_, uses)| uses.is_empty()).map(|(room, _)| room.clone()) {
        table.remove(&lowest);
        table.values_mut().for_each(|uses| drop(uses.remove(&lowest)));
    }
    none(
        table.into_iter().map(|(room, uses)| format!("`{room}` stands on itself through {uses:?}")).collect(),
    );
}

#[test]
fn cores_have_their_law_above_them_and_nothing_impure_below() {
    let root_law = tree::read("clippy.toml").unwrap();
    let mut complaints = Vec::new();
    for member in edges::members().unwrap() {
        let Some((above, _)) = member.folder.split_once("/core/") else { continue };
        let law = tree::read(&format!("{above}/core/clippy.toml")).unwrap_or_default();
        let bans = [
            "std::time::SystemTime::now",
            "std::collections::HashMap",
            "std::net::UdpSocket",
            "std::fs::read",
        ];
        for wanted in root_law.lines().filter(|l| l.contains('=')).chain(bans) {
            if !law.contains(wanted) {
                complaints.push(format!("{above}/core/clippy.toml lacks `{wanted}`"));
            }
        }
        if tree::read(&format!("{}/clippy.toml", member.folder)).is_ok() {
            complaints.push(format!("{} has a clippy.toml that hides its core's", member.folder));
        }
        let impure = member.uses.iter().filter(|u| NOT_IN_A_CORE.contains(&u.as_str()));
        complaints.extend(impure.map(|u| format!("`{}` is pure and cannot use `{u}`", member.name)));
        for file in tree::files(&format!("{}/src", member.folder), ".rs").unwrap() {
            if file.masked().code.contains("clippy::disallowed") {
                complaints.push(format!("{} switches the law of its core off", file.path));
            }
        }
    }
    none(complaints);
}

#[test]
fn every_crate_inherits_the_workspace_lints() {
    let lawless = edges::members().unwrap().into_iter().filter(|m| {
        let manifest = tree::read(&format!("{}/Cargo.toml", m.folder)).unwrap();
        !manifest.contains("[lints]\nworkspace = true")
    });
    none(lawless.map(|m| format!("{}/Cargo.toml does not inherit the workspace lints", m.folder)).collect());
}

fn is_in_module(file: &str, module: &str) -> bool {
    let module = module.trim_end_matches('/');
    file.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}
