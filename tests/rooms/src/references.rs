//! Which modules and crates a piece of code names.

use std::collections::BTreeSet;

use crate::masked::is_word;

/// First segments behind `crate::` in masked code, groups (`crate::{a, b::c}`) included.
pub fn own_modules(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, path) in code.match_indices("crate::") {
        if code[..at].ends_with(is_word) {
            continue;
        }
        let rest = &code[at + path.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(heads(group)),
            None => found.extend(head(rest)),
        }
    }
    found
}

/// Whether masked code names this crate in a path (`name::…` that is not the tail of another path).
/// A file that has a module of this name of its own means that one.
pub fn names_crate(code: &str, name: &str) -> bool {
    if code.contains(&format!("mod {name};")) {
        return false;
    }
    let path = format!("{name}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = &code[..at];
        match before.strip_suffix("::") {
            Some(owner) => !owner.ends_with(|c| is_word(c) || c == '>'),
            None => !before.ends_with(is_word),
        }
    })
}

fn head(path: &str) -> Option<String> {
    let name: String = path.trim_start().chars().take_while(|c| is_word(*c)).collect();
    (!name.is_empty()).then_some(name)
}

/// The first segment of each member of a group whose opening brace is already taken.
fn heads(group: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut depth = 0usize;
    let mut member = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.extend(head(&group[member..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.extend(head(&group[member..at]));
                member = at + 1;
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_paths_and_nothing_else() {
        let code =
            "use crate::a::X;\nuse crate::{b, c::{D, e}, f as g};\nlet _ = crate::h::y(); other_crate::z();";
        assert_eq!(own_modules(code).into_iter().collect::<Vec<_>>(), ["a", "b", "c", "f", "h"]);
    }

    #[test]
    fn a_crate_is_named_only_at_the_head_of_a_path() {
        assert!(names_crate("use control::run;", "control"));
        assert!(names_crate("let x: control::Server;", "control"));
        assert!(names_crate("use ::control::run;", "control"));
        assert!(!names_crate("use crate::control::run; access_control::x; <A as B>::control::C", "control"));
        assert!(!names_crate("mod control;\nuse control::run;", "control"));
    }
}
