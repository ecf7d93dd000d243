//! From a place in a policy to its line and words.

use std::collections::BTreeMap;

use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{Object, Value},
    common::Ranged,
};

use super::ruling::Place;

/// Longest text of a rule, in characters.
const MOST: usize = 240;

/// Lines and words of the rules.
#[derive(Default)]
pub(crate) struct Lines {
    rules: BTreeMap<u32, Vec<String>>,
    owners: BTreeMap<String, (u32, String)>,
    approvers: BTreeMap<String, (u32, String)>,
    exit: Option<(u32, String)>,
}

impl Lines {
    /// The text was read before, so that what is not there does not matter.
    pub(crate) fn of(text: &str) -> Self {
        let tree = jsonc_parser::parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default());
        let Ok(Some(Value::Object(root))) = tree.map(|tree| tree.value) else { return Self::default() };
        let starts: Vec<usize> =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let line = |at: usize| starts.partition_point(|start| *start <= at) as u32;
        let words = |value: &dyn Ranged| (line(value.start()), one_line(value.text(text)));
        let mut lines = Self::default();
        for section in &root.properties {
            let name = section.name.as_str().to_lowercase();
            match (name.as_str(), &section.value) {
                ("acls" | "grants" | "ssh" | "nodeattrs", Value::Array(list)) => {
                    for rule in &list.elements {
                        let (line, text) = words(rule);
                        lines.rules.entry(line).or_default().push(text);
                    }
                }
                ("tagowners", Value::Object(object)) => lines.owners = members(object, words),
                ("autoapprovers", Value::Object(object)) => {
                    for member in &object.properties {
                        match (member.name.as_str().to_lowercase().as_str(), &member.value) {
                            ("routes", Value::Object(routes)) => lines.approvers = members(routes, words),
                            ("exitnode", _) => lines.exit = Some(words(member)),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        lines
    }

    /// Line from 1, and the words in one line.
    pub(crate) fn find(&self, place: Place) -> (Option<u32>, String) {
        let found = match place {
            Place::Line(line) => {
                return (
                    Some(line),
                    self.rules.get(&line).map(|texts| cut(&texts.join(", "))).unwrap_or_default(),
                );
            }
            Place::Owners(tag) => self.owners.get(tag.as_str()),
            Place::Approvers(None) => self.exit.as_ref(),
            Place::Approvers(Some(net)) => self.approvers.get(&net.to_string()),
        };
        found.map_or((None, String::new()), |(line, text)| (Some(*line), text.clone()))
    }
}

fn members(object: &Object, words: impl Fn(&dyn Ranged) -> (u32, String)) -> BTreeMap<String, (u32, String)> {
    object.properties.iter().map(|member| (member.name.as_str().to_owned(), words(member))).collect()
}

fn one_line(text: &str) -> String {
    cut(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
