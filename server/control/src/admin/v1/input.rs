//! What was sent by path, query and body, as one object: the path wins over the query, the query over the body.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::unfit::Unfit;

/// Members by name, and where each came from.
#[derive(Debug, Default)]
pub struct Input {
    members: Map<String, Value>,
    places: BTreeMap<String, &'static str>,
}

impl Input {
    /// Members of a body; nothing at all is an object without members.
    pub fn body(&mut self, bytes: &[u8]) -> Result<(), Unfit> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let value: Value =
            serde_json::from_slice(bytes).map_err(|e| Unfit::member("body", Value::Null, e.to_string()))?;
        match value {
            Value::Null => Ok(()),
            Value::Object(members) => {
                members.into_iter().for_each(|(name, value)| self.put("body", &name, value));
                Ok(())
            }
            _ => Err(Unfit::member("body", Value::Null, "a JSON object is wanted")),
        }
    }
    /// Members of a path or a query.
    pub fn texts(&mut self, place: &'static str, texts: Vec<(String, String)>) {
        texts.into_iter().for_each(|(name, text)| self.put(place, &name, Value::String(text)));
    }
    /// The members as what a call takes.
    pub fn read<I: DeserializeOwned>(self) -> Result<I, Unfit> {
        let Self { members, places } = self;
        let told = members.clone();
        serde_path_to_error::deserialize(Value::Object(members)).map_err(|e| {
            let path = e.path().to_string();
            let message = e.into_inner().to_string();
            let name = path.split(['.', '[']).next().unwrap_or_default();
            // A member that is missing is not in the path: the message names it.
            let name = if name.is_empty() { message.split('`').nth(1).unwrap_or_default() } else { name };
            let place = places.get(name).copied().unwrap_or("body");
            Unfit::member(&format!("{place}.{name}"), told.get(name).cloned().unwrap_or_default(), message)
        })
    }

    /// Null is nothing; `snake_case` is the same as `camelCase`.
    fn put(&mut self, place: &'static str, name: &str, value: Value) {
        if value.is_null() {
            return;
        }
        let name = camel(name);
        self.places.insert(name.clone(), place);
        self.members.insert(name, value);
    }
}

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut name, part| {
        let mut letters = part.chars();
        name.extend(letters.next().map(|l| l.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

#[cfg(test)]
mod tests {
    use api::v1::{node, preauthkey};

    use super::*;

    fn input(path: &[(&str, &str)], query: &[(&str, &str)], body: &str) -> Result<Input, Unfit> {
        let texts = |list: &[(&str, &str)]| list.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        let mut input = Input::default();
        input.body(body.as_bytes())?;
        input.texts("query", texts(query));
        input.texts("path", texts(path));
        Ok(input)
    }

    #[test]
    fn path_wins_over_query_and_query_over_body() {
        let read = input(&[("node_id", "3")], &[("nodeId", "4")], r#"{"nodeId":5,"tags":["tag:a"]}"#);
        let tags: node::Tags = read.unwrap().read().unwrap();
        assert_eq!((tags.node_id, tags.tags), (3, vec!["tag:a".to_owned()]));
        let read = input(&[], &[], r#"{"acl_tags":["tag:a"],"user":null,"x":[[[]]]}"#);
        let create: preauthkey::Create = read.unwrap().read().unwrap();
        assert_eq!((create.acl_tags, create.user), (vec!["tag:a".to_owned()], 0));
    }

    #[test]
    fn the_member_at_fault_is_named_with_its_place() {
        let place = |unfit: Unfit| unfit.into_problem().errors.remove(0).location;
        let wrong = input(&[("node_id", "-1")], &[], "").unwrap().read::<node::Which>().unwrap_err();
        assert_eq!(place(wrong), "path.nodeId");
        let wrong = input(&[], &[("user", "x")], "").unwrap().read::<preauthkey::List>().unwrap_err();
        assert_eq!(place(wrong), "query.user");
        let wrong = input(&[], &[], r#"{"aclTags":[1]}"#).unwrap().read::<preauthkey::Create>().unwrap_err();
        assert_eq!(place(wrong), "body.aclTags");
        let wrong = input(&[], &[], "{}").unwrap().read::<node::Which>().unwrap_err();
        assert_eq!(place(wrong), "body.nodeId");
        for body in ["[1]", "\"x\"", "{", &"[".repeat(100_000), &"{\"a\":".repeat(100_000)] {
            assert_eq!(place(input(&[], &[], body).unwrap_err()), "body");
        }
    }
}
