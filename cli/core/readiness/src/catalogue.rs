//! Every check: its stable name, when it is run, what it proves, why, and what it rests on.

mod list;

use serde::Serialize;

pub use list::CATALOGUE;

/// When checks are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Before anything about the mesh is changed.
    BeforeChange,
    /// After the server's state was lost or replaced.
    AfterReset,
    /// At a fresh installation.
    Install,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::BeforeChange, Self::AfterReset, Self::Install];

    /// The word of the command line.
    pub fn word(self) -> &'static str {
        match self {
            Stage::BeforeChange => "before-change",
            Stage::AfterReset => "after-reset",
            Stage::Install => "install",
        }
    }
}

/// A check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable: scripts and waivers name it.
    pub id: &'static str,
    /// The stage that it was made for.
    pub stage: Stage,
    /// All stages in which it is run.
    pub stages: &'static [Stage],
    /// What is so when it passes.
    pub summary: &'static str,
    /// What happens when it is not so.
    pub reason: &'static str,
    /// How it is found out.
    pub method: &'static str,
    /// Checks without which this one cannot pass.
    pub depends_on: &'static [&'static str],
}

/// A name that no check has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no check {id}")]
pub struct UnknownCheck {
    /// The name.
    pub id: String,
    /// The nearest one that there is.
    pub nearest: &'static str,
}

/// The check with this name.
pub fn find(id: &str) -> Result<&'static Check, UnknownCheck> {
    if let Some(check) = CATALOGUE.iter().find(|check| check.id == id) {
        return Ok(check);
    }
    let near = CATALOGUE
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(a.id, id).total_cmp(&strsim::jaro_winkler(b.id, id)));
    Err(UnknownCheck { id: id.to_owned(), nearest: near.map_or("", |check| check.id) })
}

/// The checks of a stage; of all stages without one.
pub fn of_stage(stage: Option<Stage>) -> impl Iterator<Item = &'static Check> {
    CATALOGUE.iter().filter(move |check| stage.is_none_or(|stage| check.stages.contains(&stage)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_in_order() {
        let names: Vec<_> = CATALOGUE.iter().map(|c| c.id).collect();
        let sorted: BTreeSet<_> = names.iter().copied().collect();
        assert_eq!(names, sorted.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn every_check_is_told_in_full_and_rests_on_others_that_are_there() {
        for check in CATALOGUE {
            assert!(check.stages.contains(&check.stage), "{}", check.id);
            assert!(check.id.split('.').count() == 2, "{}", check.id);
            for text in [check.summary, check.reason, check.method] {
                assert!(text.len() > 10 && !text.ends_with('.'), "{}: {text}", check.id);
            }
            for other in check.depends_on {
                let other = find(other).unwrap();
                assert!(!other.depends_on.contains(&check.id), "{} and {}", check.id, other.id);
            }
        }
    }

    #[test]
    fn a_misspelt_name_meets_the_nearest() {
        assert_eq!(find("dns.public-boot").unwrap_err().nearest, "dns.public-bootstrap");
        assert_eq!(find("stun.answers").unwrap().id, "stun.answers");
    }
}
