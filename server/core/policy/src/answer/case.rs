//! Questions about a policy, one JSON object a line: policy, people and nodes in; what each node is told out.
//!
//! The form is that of the corpus in `tests/policy/corpus`.

use std::{collections::BTreeMap, net::Ipv4Addr, net::Ipv6Addr};

use ident::Tag;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{Device, Document, Person, Roster, View};

/// Longest line that is read, in bytes.
pub const MAX_CASE_BYTES: usize = 16 << 20;
/// Most nodes of a case.
pub const MAX_CASE_NODES: usize = 2_000;

/// The answer to a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseAnswer {
    /// The name of the case, as far as it could be read.
    pub id: String,
    /// Whether the policy is taken.
    pub accepted: bool,
    /// Why not; empty when it is.
    pub error: String,
    /// What each node is told, by its name in the question.
    pub nodes: BTreeMap<String, View>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    id: String,
    #[serde(default)]
    users: Vec<User>,
    #[serde(default)]
    nodes: BTreeMap<String, Node>,
    policy: serde_json::Value,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    id: u64,
    name: String,
    #[serde(default)]
    email: String,
    roles: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Node {
    hostname: Option<String>,
    tags: Option<Vec<String>>,
    user: Option<String>,
    ipv4: Ipv4Addr,
    ipv6: Ipv6Addr,
    approved_routes: Option<Vec<IpNet>>,
}

/// Answers a line; never fails: what is wrong with the line is its answer.
pub fn answer_case(line: &str) -> CaseAnswer {
    let refused =
        |id: String, error: String| CaseAnswer { id, accepted: false, error, nodes: BTreeMap::new() };
    if line.len() > MAX_CASE_BYTES {
        return refused(String::new(), format!("a case has at most {MAX_CASE_BYTES} bytes"));
    }
    let mut case: Case = match serde_json::from_str(line) {
        Ok(case) => case,
        Err(error) => return refused(id_of(line), format!("not a case: {error}")),
    };
    let id = std::mem::take(&mut case.id);
    match case.nodes() {
        Ok(nodes) => CaseAnswer { id, accepted: true, error: String::new(), nodes },
        Err(error) => refused(id, error),
    }
}

fn id_of(line: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(line).ok();
    let id = value.as_ref().and_then(|value| value.get("id")?.as_str());
    id.unwrap_or_default().to_owned()
}

impl Case {
    fn nodes(self) -> Result<BTreeMap<String, View>, String> {
        let text = match &self.policy {
            serde_json::Value::String(text) => text.clone(),
            object => object.to_string(),
        };
        let document = Document::parse(&text).map_err(|errors| errors.to_string())?;
        document.answer(&self.roster()?)
    }

    fn roster(mut self) -> Result<Roster, String> {
        if self.nodes.len() > MAX_CASE_NODES {
            return Err(format!("a case has at most {MAX_CASE_NODES} nodes"));
        }
        self.users.sort_by_key(|user| user.id);
        let mut devices = Vec::new();
        for (name, node) in self.nodes {
            let tags: Result<Vec<Tag>, _> = node.tags.iter().flatten().map(|tag| tag.parse()).collect();
            let owner = node.user.as_ref().and_then(|user| self.users.iter().position(|u| u.name == *user));
            devices.push(Device {
                host: node.hostname.unwrap_or_else(|| name.clone()),
                tags: tags.map_err(|error| format!("node {name:?}: {error}"))?,
                owner,
                v4: node.ipv4,
                v6: node.ipv6,
                routes: node.approved_routes.unwrap_or_default(),
                name,
                traits: None,
            });
        }
        by_seniority(&mut devices);
        let people = self.users.into_iter().map(|user| Person {
            name: user.name.to_lowercase(),
            email: user.email.to_lowercase(),
            roles: user.roles,
        });
        Ok(Roster { people: people.collect(), devices })
    }
}

/// A case does not say which of several routers of a route is in charge; with the reference it is the oldest. So the
/// order is a guess: more tags before fewer, numbered hosts by their number, others from the last name to the first.
fn by_seniority(devices: &mut [Device]) {
    devices.sort_by(|a, b| {
        let ((stem, number), (other, other_number)) = (numbered(&a.name), numbered(&b.name));
        b.tags.len().cmp(&a.tags.len()).then(other.cmp(stem)).then(number.cmp(&other_number))
    });
}

/// A name without its number, and the number.
fn numbered(name: &str) -> (&str, Option<u64>) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem, name[stem.len()..].parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_an_answer() {
        for (line, id) in [("", ""), ("{", ""), (r#"{"id":"a"}"#, "a"), (r#"{"id":"b","policy":[]}"#, "b")] {
            let answer = answer_case(line);
            assert_eq!((answer.id.as_str(), answer.accepted), (id, false));
            assert!(!answer.error.is_empty());
        }
        assert!(answer_case(r#"{"id":"c","policy":"{} // nothing"}"#).accepted);
    }

    #[test]
    fn numbers_count_as_numbers() {
        assert_eq!(numbered("web10"), ("web", Some(10)));
        assert_eq!(numbered("web"), ("web", None));
    }
}
