//! How big things may get, what they may be called, and where SQL may stand.

use std::collections::BTreeMap;

use anyhow::ensure;
use rooms::{shape, tree};

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 100;
const FOLDER_FILES: usize = 12;
const ARCHITECTURE_LINES: usize = 150;

/// Folders that may hold more files, each with its reason.
const WIDE_FOLDERS: [(&str, &str); 4] = [
    ("server/core/wire/src", "one file per family of words on the wire"),
    ("server/api/src", "one file per noun of the admin interface"),
    ("server/control/src/admin", "one file per noun of the admin interface"),
    ("tests/clients/stories/tests", "one file per flow; each is linked to run by itself"),
];

/// Words that only SQL writes like this.
const SQL: [&str; 8] = [
    "SELECT ",
    "INSERT INTO ",
    "INSERT OR ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "ALTER TABLE ",
    "PRAGMA ",
    "BEGIN IMMEDIATE",
];

/// Matches on `Event` that name every variant: a new one must not compile until each has its answer.
const EXHAUSTIVE: [(&str, &[&str]); 2] =
    [("server/core/world/src", &["apply", "describe"]), ("server/control/src/store", &["persist"])];

fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn sources() -> anyhow::Result<Vec<tree::File>> {
    let files = tree::files("", ".rs")?;
    ensure!(files.len() > 20, "the walk found only {} sources", files.len());
    Ok(files)
}

#[test]
fn files_stay_readable() {
    let long = sources().unwrap().into_iter().filter_map(|f| {
        let lines = shape::lines_without_tests(&f.masked());
        (lines > FILE_LINES)
            .then(|| format!("{}: {lines} lines without its tests, {FILE_LINES} are the end", f.path))
    });
    none(long.collect());
}

#[test]
fn functions_stay_readable() {
    let mut complaints = Vec::new();
    for file in sources().unwrap() {
        let masked = file.masked();
        for function in shape::functions(shape::without_tests(&masked.code)) {
            let shape::Function { name, line, lines } = function;
            if lines > FUNCTION_LINES {
                complaints.push(format!(
                    "{}:{line} `{name}` has {lines} lines, {FUNCTION_LINES} are the end",
                    file.path
                ));
            }
        }
    }
    none(complaints);
}

/// Neither `lib.rs` nor the page that opens a folder of its own (`noun.rs` beside `noun/`) counts.
#[test]
fn folders_stay_small() {
    let mut counts = BTreeMap::<String, usize>::new();
    for file in sources().unwrap() {
        let opens_folder = tree::root().join(file.path.trim_end_matches(".rs")).is_dir();
        if file.path.ends_with("/lib.rs") || opens_folder {
            continue;
        }
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        *counts.entry(folder.to_owned()).or_default() += 1;
    }
    let allowed = |folder: &str| WIDE_FOLDERS.iter().any(|(f, _)| *f == folder);
    let wide = counts.into_iter().filter(|(folder, n)| *n > FOLDER_FILES && !allowed(folder));
    none(wide.map(|(folder, n)| format!("{folder}: {n} files, {FOLDER_FILES} are the end")).collect());
}

#[test]
fn names_say_what_is_inside() {
    let empty = ["mod", "util", "utils", "common", "helper", "helpers", "manager", "misc"];
    let unnamed = sources().unwrap().into_iter().filter(|f| {
        let stem = f.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        let folders = f.path.split('/').rev().skip(1);
        empty.contains(&stem) || folders.into_iter().any(|folder| empty[1..].contains(&folder))
    });
    none(unnamed.map(|f| format!("{}: the name says nothing", f.path)).collect());
}

#[test]
fn sql_stands_in_the_store_only() {
    let mut complaints = Vec::new();
    for file in tree::files("server", ".rs").unwrap().into_iter().chain(tree::files("cli", ".rs").unwrap()) {
        if file.path.starts_with("server/control/src/store") {
            continue;
        }
        let masked = file.masked();
        let statements = masked.strings.iter().filter(|(_, text)| SQL.iter().any(|word| text.contains(word)));
        complaints.extend(statements.map(|(line, _)| format!("{}:{line} speaks SQL", file.path)));
        if shape::without_tests(&masked.code).contains("rusqlite") {
            complaints.push(format!("{} names the database driver", file.path));
        }
    }
    none(complaints);
}

#[test]
fn matches_on_events_have_no_wildcard() {
    let mut complaints = Vec::new();
    for (folder, names) in EXHAUSTIVE {
        for name in names {
            let files: Vec<_> = tree::files(folder, ".rs")
                .unwrap()
                .into_iter()
                .filter(|f| {
                    f.path[folder.len() + 1..].split('/').any(|part| part.trim_end_matches(".rs") == *name)
                })
                .collect();
            if files.is_empty() {
                complaints.push(format!("{folder} has no `{name}`"));
            }
            for file in files {
                let masked = file.masked();
                let code = shape::without_tests(&masked.code);
                let lines = code.lines().enumerate().filter(|(_, line)| is_catch_all(line));
                complaints.extend(lines.map(|(n, _)| format!("{}:{} a wildcard arm", file.path, n + 1)));
            }
        }
    }
    none(complaints);
}

#[test]
fn the_map_of_the_house_fits_a_short_read() {
    let lines = tree::read("docs/ARCHITECTURE.md").unwrap().lines().count();
    assert!(lines < ARCHITECTURE_LINES, "docs/ARCHITECTURE.md has {lines} lines");
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut complaints = Vec::new();
    for page in tree::files("", ".md").unwrap() {
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let elsewhere =
                target.is_empty() || target.contains("://") || target.contains(char::is_whitespace);
            if !elsewhere && !tree::root().join(folder).join(target).exists() {
                complaints.push(format!("{} links to `{target}`, which is not there", page.path));
            }
        }
    }
    none(complaints);
}

/// An arm that takes whatever is left: `_ =>`, or a single name that binds it.
fn is_catch_all(line: &str) -> bool {
    let Some((pattern, _)) = line.split_once("=>") else { return false };
    let pattern = pattern.split(" if ").next().unwrap_or_default().trim();
    let is_name = pattern.starts_with(|c: char| c.is_lowercase() || c == '_')
        && pattern.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name && !["true", "false"].contains(&pattern)
}

#[test]
fn a_catch_all_is_told_from_a_variant() {
    for arm in
        ["    _ => {}", "    other => other.apply(),", "    event if event.is_old() => {}", "_ if x => 1,"]
    {
        assert!(is_catch_all(arm), "{arm}");
    }
    for arm in ["Event::NodeGone { .. } => {}", "None => 1,", "Some(_) => 2,", "true => 3,", "let x = 1;"] {
        assert!(!is_catch_all(arm), "{arm}");
    }
}
