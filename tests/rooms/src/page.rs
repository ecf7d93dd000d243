//! The tables of `docs/ARCHITECTURE.md` that say who may know whom.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

/// A room's permissions: the rooms it may use, and within which of its own modules (empty: everywhere).
pub type Allowed = BTreeMap<String, Vec<String>>;

/// The table whose header row begins with `first` and ends with `last`: first cell -> permissions in the last one.
///
/// A permission cell is `-`, or names separated by commas, each with the modules it is limited to in
/// parentheses: `api, control (server, quickstart)`.
pub fn table(page: &str, first: &str, last: &str) -> Result<BTreeMap<String, Allowed>> {
    let mut rows = page.lines().map(cells).skip_while(|row| !is_header(row, first, last));
    let width = rows.next().with_context(|| format!("no table from `{first}` to `{last}`"))?.len();
    let mut found = BTreeMap::new();
    for row in rows.skip(1).take_while(|row| !row.is_empty()) {
        ensure!(row.len() == width, "a row has {} cells, its header {width}: {row:?}", row.len());
        let (names, permissions) = (&row[0], &row[width - 1]);
        for name in names.split(',').map(str::trim) {
            let allowed = permitted(permissions).with_context(|| format!("row `{name}`"))?;
            ensure!(found.insert(name.to_owned(), allowed).is_none(), "`{name}` has two rows");
        }
    }
    Ok(found)
}

fn is_header(row: &[String], first: &str, last: &str) -> bool {
    row.first().is_some_and(|c| c == first) && row.last().is_some_and(|c| c == last)
}

fn cells(line: &str) -> Vec<String> {
    let Some(inner) = line.trim().strip_prefix('|').and_then(|l| l.strip_suffix('|')) else {
        return Vec::new();
    };
    inner.split('|').map(|c| c.trim().replace('`', "")).collect()
}

fn permitted(cell: &str) -> Result<Allowed> {
    let mut allowed = Allowed::new();
    let mut rest = cell.trim().trim_matches('-').trim();
    while !rest.is_empty() {
        let end = rest.find([',', '(']).unwrap_or(rest.len());
        let name = rest[..end].trim();
        ensure!(!name.is_empty() && !name.contains(' '), "`{name}` is not a name in `{cell}`");
        let mut modules = Vec::new();
        rest = rest[end..].trim_start();
        if let Some(inner) = rest.strip_prefix('(') {
            let (inside, after) =
                inner.split_once(')').with_context(|| format!("`(` stays open in `{cell}`"))?;
            modules.extend(inside.split(',').map(|m| m.trim().to_owned()));
            rest = after.trim_start();
        }
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        allowed.insert(name.to_owned(), modules);
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "words\n\n| crate | knows | depends on |\n|---|---|---|\n| `a`, `b` | things | - |\n\
        | `c` | more | a, b (x, y/z) |\n\n| d | not | this table |\n";

    #[test]
    fn reads_names_and_modules() {
        let found = table(PAGE, "crate", "depends on").unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(found["a"].is_empty());
        assert_eq!(found["c"]["a"], Vec::<String>::new());
        assert_eq!(found["c"]["b"], ["x", "y/z"]);
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(table("no table", "crate", "depends on").is_err());
        assert!(table("| crate | depends on |\n|--|--|\n| a | b (c |\n", "crate", "depends on").is_err());
        assert!(
            table("| crate | depends on |\n|--|--|\n| a | all of it |\n", "crate", "depends on").is_err()
        );
        assert!(
            table("| crate | depends on |\n|--|--|\n| a | - |\n| a | - |\n", "crate", "depends on").is_err()
        );
    }
}
