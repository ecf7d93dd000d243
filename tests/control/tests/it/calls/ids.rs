//! Every path of both surfaces with what is no id, and every query with what is no value.

use api::{Method, OPERATIONS, role, v1};

use super::{Tries, document, state};
use crate::house::House;

/// No id, no name, and no step in the tree.
const NO_THINGS: [&str; 15] = [
    "",
    "0",
    "-1",
    "1.0",
    "9007199254740992",
    "9223372036854775808",
    "18446744073709551616",
    "null",
    "%20",
    "%00",
    "%ff",
    "..%2f..%2fnode%2f1",
    "1%2f..%2f1",
    "%2e%2e",
    "%252e%252e%252f",
];
/// Those of them that would not do as a new name either.
const NO_NAMES: [&str; 8] = ["", "-1", "%00", "%ff", "..%2f..%2fnode%2f1", "1%2f..%2f1", "%2e%2e", "%20"];

/// The path once for each of its placeholders, which is left to be filled; the others are things that are there.
fn open_paths(template: &str) -> impl Iterator<Item = (&str, String, String)> {
    let named = template.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    named.map(move |open| {
        let (before, after) = template.split_once(&format!("{{{open}}}")).unwrap();
        (open, super::path(before, "1"), super::path(after, "fine"))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_none_are_named_on_every_path_of_ours() {
    let house = House::open().await;
    house.member("laptop").await;
    super::person(&house).await;
    let before = state(&house).await;
    let long = "x".repeat(5000);
    let mut tries = Tries::default();
    for operation in OPERATIONS {
        let method = operation.method.to_string();
        let body =
            document::of(operation).body().map_or(String::new(), |body| document::sample(&body).to_string());
        for (open, head, tail) in open_paths(operation.path) {
            // A role of any other name would be made.
            let makes = operation.path == role::SET.path() && operation.method == Method::Put;
            let (body, things) = match makes && open == "role" {
                true => (r#"{"tags":["tag:member"]}"#, &NO_NAMES[..]),
                false => (&*body, &NO_THINGS[..]),
            };
            for thing in things.iter().copied().chain([long.as_str()]) {
                let at = format!("{head}{thing}{tail}");
                let words = [&[open, thing, "path"], &*super::nouns(operation.path)].concat();
                tries.refused(&house.admin, (&method, &at, body), &words).await;
            }
        }
    }
    tries.end(1000);
    assert_eq!(state(&house).await, before);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_none_are_named_on_every_path_of_headscales() {
    let house = House::open().await;
    house.member("laptop").await;
    super::person(&house).await;
    let before = state(&house).await;
    let mut tries = Tries::default();
    for operation in v1::OPERATIONS {
        let method = operation.method.to_string();
        for (open, head, tail) in open_paths(operation.path) {
            let things: &[&str] = if open == "new_name" { &NO_NAMES } else { &NO_THINGS };
            for thing in things {
                let (at, camel) =
                    (format!("{head}{thing}{tail}"), open.replace("_id", "Id").replace("_name", "Name"));
                let words = [&[open, &camel, thing, "path"], &*super::nouns(operation.path)].concat();
                tries.refused(&house.admin, (&method, &at, ""), &words).await;
            }
        }
    }
    tries.end(150);
    assert_eq!(state(&house).await, before);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_are_none_are_named_in_every_query() {
    let house = House::open().await;
    house.member("laptop").await;
    let before = state(&house).await;
    let mut tries = Tries::default();
    for operation in OPERATIONS {
        let (method, at) = (operation.method.to_string(), super::path(operation.path, "1"));
        let mut wrong = vec![("nonsense".to_owned(), "1"), ("chec".to_owned(), "true")];
        for (name, kind) in document::of(operation).query() {
            let values: &[&str] = match kind.as_str() {
                "integer" => &["", "-1", "x", "1.5", "1e3", "null", "18446744073709551616", "%00"],
                "boolean" => &["", "perhaps", "null", "1", "TRUE"],
                "string" => &[],
                other => panic!("nothing is known of {other}"),
            };
            wrong.extend(values.iter().map(|value| (name.clone(), *value)));
        }
        for (name, value) in wrong {
            let at = format!("{at}?{name}={value}");
            tries.refused(&house.admin, (&method, &at, ""), &[&name]).await;
        }
    }
    tries.end(200);
    assert_eq!(state(&house).await, before);
    house.close().await;
}
