//! `.sops.yaml`: who may open which new file.

use regex::Regex;

use super::Error;
use crate::document::{Document, Node, Value};

/// What a file is encrypted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// age recipients.
    pub recipients: Vec<String>,
}

/// All rules of a file, in order.
pub struct Rules(Vec<(Option<Regex>, Vec<String>)>);

impl Rules {
    /// Reads the text of a rules file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let document = Document::parse(bytes).map_err(|e| Error::Rules(e.to_string()))?;
        let rules = document.roots().first().and_then(|root| root.get("creation_rules"));
        let Some(Value::Sequence(rules)) = rules.map(|n| &n.value) else {
            return Err(Error::Rules("it has no `creation_rules`".to_owned()));
        };
        rules.iter().map(rule).collect::<Result<_, _>>().map(Self)
    }
    /// The first rule for this path, which is relative to the folder of the rules file.
    pub fn find(&self, path: &str) -> Result<Rule, Error> {
        let fits = |e: &Option<Regex>| e.as_ref().is_none_or(|e| e.is_match(path));
        let (_, recipients) = self.0.iter().find(|(e, _)| fits(e)).ok_or(Error::NoRule)?;
        if recipients.is_empty() {
            return Err(Error::Unsupported("a creation rule without age recipients"));
        }
        Ok(Rule { recipients: recipients.clone() })
    }
}

fn rule(node: &Node) -> Result<(Option<Regex>, Vec<String>), Error> {
    let expression = node.get("path_regex").and_then(Node::text).filter(|e| !e.is_empty());
    let expression =
        expression.map(|e| Regex::new(e).map_err(|_| Error::Expression(e.to_owned()))).transpose()?;
    let mut recipients = named(node);
    if let Some(Value::Sequence(groups)) = node.get("key_groups").map(|n| &n.value) {
        if groups.len() > 1 {
            return Err(Error::Unsupported("a data key that is split among groups"));
        }
        groups.iter().for_each(|group| recipients.extend(named(group)));
    }
    Ok((expression, recipients))
}

/// `age:` as one text with commas or as a list.
fn named(node: &Node) -> Vec<String> {
    let texts: Vec<&str> = match node.get("age").map(|n| &n.value) {
        Some(Value::Scalar(s)) => vec![s.text.as_str()],
        Some(Value::Sequence(items)) => items.iter().filter_map(Node::text).collect(),
        Some(Value::Mapping(_)) | None => Vec::new(),
    };
    let parts = texts.iter().flat_map(|t| t.split(','));
    parts.map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()).collect()
}
