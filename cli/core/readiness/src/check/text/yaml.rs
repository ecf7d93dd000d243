//! YAML with line numbers, read as Ansible files are: what cannot be read is told with its place.

use saphyr_parser::{Event, Parser};

/// A value where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// From 1.
    pub line: usize,
    /// What stands there.
    pub value: Value,
}

/// What stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Scalar(String),
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

/// Why a text is no YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub line: usize,
    pub what: String,
}

const DEEPEST: usize = 64;
const LONGEST: usize = 4 << 20;

impl Node {
    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.pairs().iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }
    /// Keys and values of a mapping.
    pub fn pairs(&self) -> &[(Node, Node)] {
        match &self.value {
            Value::Mapping(pairs) => pairs,
            Value::Scalar(_) | Value::Sequence(_) => &[],
        }
    }
    /// Items of a sequence.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            Value::Scalar(_) | Value::Mapping(_) => &[],
        }
    }
    /// A scalar's text.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }
    /// Every scalar value within, keys left out.
    pub fn scalars<'a>(&'a self, into: &mut Vec<(usize, &'a str)>) {
        match &self.value {
            Value::Scalar(text) => into.push((self.line, text)),
            Value::Sequence(items) => items.iter().for_each(|item| item.scalars(into)),
            Value::Mapping(pairs) => pairs.iter().for_each(|(_, value)| value.scalars(into)),
        }
    }
}

struct Open {
    line: usize,
    sequence: bool,
    nodes: Vec<Node>,
}

/// The documents of a text.
pub fn parse(text: &str) -> Result<Vec<Node>, Broken> {
    if text.len() > LONGEST {
        return Err(Broken { line: 1, what: "it is longer than 4 MiB".to_owned() });
    }
    let mut open: Vec<Open> = Vec::new();
    let mut roots = Vec::new();
    for step in Parser::new_from_str(text) {
        let (event, span) =
            step.map_err(|e| Broken { line: e.marker().line(), what: e.info().to_owned() })?;
        let line = span.start.line();
        let node = match event {
            Event::Scalar(text, ..) => Node { line, value: Value::Scalar(text.into_owned()) },
            Event::Alias(_) => Node { line, value: Value::Scalar(String::new()) },
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                if open.len() >= DEEPEST {
                    return Err(Broken { line, what: "it is nested too deeply".to_owned() });
                }
                open.push(Open {
                    line,
                    sequence: matches!(event, Event::SequenceStart(..)),
                    nodes: Vec::new(),
                });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(closed) => close(closed),
                None => continue,
            },
            _ => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.nodes.push(node),
            None => roots.push(node),
        }
    }
    Ok(roots)
}

fn close(Open { line, sequence, nodes }: Open) -> Node {
    if sequence {
        return Node { line, value: Value::Sequence(nodes) };
    }
    let mut pairs = Vec::new();
    let mut nodes = nodes.into_iter();
    while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
        pairs.push((key, value));
    }
    Node { line, value: Value::Mapping(pairs) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_know_their_lines() {
        let roots = parse("- name: a\n  set_fact:\n    x: 1\n- name: b\n").unwrap();
        let tasks = roots[0].items();
        assert_eq!((tasks.len(), tasks[1].line), (2, 4));
        assert_eq!(tasks[0].get("set_fact").unwrap().get("x").unwrap().line, 3);
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_line() {
        assert_eq!(parse("a: [1\nb: 2\n").unwrap_err().line, 2);
        assert!(parse(&"[".repeat(100)).is_err());
    }

    proptest! {
        #[test]
        fn strangers_text_ends(text in "[a-z:\\-\\[\\]{}&*!|>#\"' \n]{0,120}") {
            let _ = parse(&text);
        }
    }
}
