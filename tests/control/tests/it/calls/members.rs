//! Every member of every body with what it is not.

use api::OPERATIONS;
use serde_json::{Value, json};

use super::{Tries, document, person, state};
use crate::house::House;

/// What every body of every operation is tried with: the operation's method and path, and its schema.
fn bodies() -> impl Iterator<Item = (String, String, Value)> {
    OPERATIONS.iter().filter_map(|operation| {
        let body = document::of(operation).body()?;
        Some((operation.method.to_string(), super::path(operation.path, "1"), body))
    })
}

/// The body with one member in place of what a right one says, if it says it.
fn with(schema: &Value, name: &str, value: Value) -> String {
    let mut whole = document::sample(schema);
    whole[name] = value;
    whole.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_another_type_are_named_in_every_body() {
    let house = House::open().await;
    house.member("laptop").await;
    person(&house).await;
    let before = state(&house).await;
    let mut tries = Tries::default();
    for (method, at, schema) in bodies() {
        for (member, inner) in schema["properties"].as_object().unwrap() {
            for (name, value) in document::wrong(member, inner) {
                let body = with(&schema, member, value);
                tries.refused(&house.admin, (&method, &at, &body), &[&name]).await;
            }
        }
    }
    tries.end(400);
    assert_eq!(state(&house).await, before);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_are_missing_unknown_twice_or_bottomless_are_named() {
    let house = House::open().await;
    house.member("laptop").await;
    person(&house).await;
    let before = state(&house).await;
    let mut tries = Tries::default();
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for (method, at, schema) in bodies() {
        let whole = document::sample(&schema);
        let mut wrong = vec![("nonsense".to_owned(), with(&schema, "nonsense", json!(1)))];
        for name in document::required(&schema) {
            let mut less = whole.clone();
            less.as_object_mut().unwrap().remove(&name);
            wrong.push((name, less.to_string()));
        }
        for name in schema["properties"].as_object().unwrap().keys() {
            wrong.push((name.clone(), format!("{{\"{name}\":{deep}}}")));
            let (once, text) = (json!(name), whole.to_string());
            let value = whole.get(name).cloned().unwrap_or(Value::Null);
            let more = if text == "{}" { String::new() } else { format!(",{}", &text[1..text.len() - 1]) };
            let again = if whole.get(name).is_some() { String::new() } else { format!(",{once}:{value}") };
            wrong.push((name.clone(), format!("{{{once}:{value}{more}{again}}}")));
        }
        for (name, body) in wrong {
            tries.refused(&house.admin, (&method, &at, &body), &[&name]).await;
        }
    }
    tries.end(100);
    assert_eq!(state(&house).await, before);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_name_nothing_are_told_so() {
    let house = House::open().await;
    house.member("laptop").await;
    person(&house).await;
    let before = state(&house).await;
    let long = "x".repeat(5000);
    let mut tries = Tries::default();
    for (method, at, schema) in bodies() {
        let all = schema["properties"].as_object().unwrap().keys();
        for name in all.filter(|name| matches!(name.as_str(), "node" | "user" | "role" | "login" | "name")) {
            // As a new name these would do.
            let new = matches!(name.as_str(), "login" | "name");
            let ids: &[&str] = if new { &[] } else { &["0", "1.0", "null", "18446744073709551616"] };
            for no in ["", "-1", "../node/1", "..", "\0", " ", "a/b", "\u{202e}x", &long].iter().chain(ids) {
                let body = with(&schema, name, json!(no));
                let words = [&[name.as_str(), *no], &*super::nouns(&at)].concat();
                tries.refused(&house.admin, (&method, &at, &body), &words).await;
            }
        }
    }
    tries.end(70);
    assert_eq!(state(&house).await, before);
    house.close().await;
}
