//! What stands in playbooks and documents: variables that a fresh host does not have, tests of existence alone, pings of
//! resolvers, commands that are gone, keys without tags.

mod commands;
mod existence;
mod fresh;
mod ping;
mod playbook;
mod undefined;
mod words;
mod yaml;

use crate::Verdict;

pub use commands::{dead_commands, untagged_keys};
pub use existence::existence;
pub use fresh::{BadRecord, Record, fresh_tested};
pub use ping::pings;
pub use undefined::undefined_when_fresh;

/// A text with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// As it was named.
    pub file: String,
    /// What stands there.
    pub text: String,
}

impl Text {
    /// Whether it is YAML by its name.
    pub fn is_yaml(&self) -> bool {
        self.file.ends_with(".yml") || self.file.ends_with(".yaml")
    }
}

/// Lines that say themselves that they are meant so carry this, and the name of the check behind it.
const MEANT: &str = "meshctl:allow";

/// Numbered lines that are not excused for this check, in them or in the line before.
fn lines<'a>(text: &'a str, id: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let excused =
        move |line: &str| line.split_once(MEANT).is_some_and(|(_, rest)| rest.trim_start().starts_with(id));
    let mut before = false;
    text.lines().enumerate().filter_map(move |(n, line)| {
        let here = excused(line);
        let skip = here || before;
        before = here;
        (!skip).then_some((n + 1, line))
    })
}

/// Findings one after another; nothing when there are none.
fn joined(findings: impl IntoIterator<Item = Verdict>) -> Verdict {
    findings.into_iter().reduce(Verdict::and).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_say_that_it_is_meant() {
        let text = "one\ntwo # meshctl:allow x.y because\nthree\nfour\n";
        assert_eq!(lines(text, "x.y").map(|(n, _)| n).collect::<Vec<_>>(), [1, 4]);
        assert_eq!(lines(text, "x.z").count(), 4);
    }
}
