//! The OpenAPI document: made from the operations, their types and the comments above them, and compared with the stored
//! copy that is served. `UPDATE_OPENAPI=1 cargo test -p api --test openapi` writes that copy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

#[path = "openapi/document.rs"]
mod document;
#[path = "openapi/spoken.rs"]
mod spoken;

use std::path::Path;

use api::{OPENAPI, OPERATIONS};
use serde_json::Value;

fn place() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json")
}

#[test]
fn the_stored_document_is_the_one_that_the_types_make() {
    let made = document::text();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(place(), &made).unwrap();
        return;
    }
    let differ = made.lines().zip(OPENAPI.lines()).position(|(a, b)| a != b);
    let line = differ.unwrap_or(made.lines().count().min(OPENAPI.lines().count()));
    assert!(
        made == OPENAPI,
        "server/api/openapi.json is another document from line {} on; UPDATE_OPENAPI=1 writes it anew",
        line + 1
    );
}

#[test]
fn every_operation_is_in_it_with_its_scope_and_words() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for operation in OPERATIONS {
        let method = operation.method.to_string().to_lowercase();
        let told = &document["paths"][operation.path][&method];
        let id = told["operationId"].as_str().unwrap_or_else(|| panic!("{} is missing", operation.path));
        assert!(ids.insert(id.to_owned()), "{id} stands for two operations");
        assert!(told["summary"].as_str().unwrap().len() > 5, "{id} says nothing");
        let scope = operation.scope().unwrap().to_string();
        assert_eq!(told["security"], serde_json::json!([{"apiKey": [scope]}]), "{id}");
        assert!(told["responses"]["200"]["content"].is_object(), "{id}");
    }
    let operations = document["paths"].as_object().unwrap().values().map(|p| p.as_object().unwrap().len());
    assert_eq!(operations.sum::<usize>(), OPERATIONS.len());
}

#[test]
fn names_of_schemas_are_unique_and_every_reference_leads_somewhere() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let numbered: Vec<_> =
        schemas.keys().filter(|name| name.ends_with(|c: char| c.is_ascii_digit())).collect();
    assert!(
        numbered.is_empty(),
        "two types share a name (#[schemars(rename)] tells them apart): {numbered:?}"
    );
    let references = OPENAPI.split("\"#/components/schemas/").skip(1);
    for name in references.map(|rest| rest.split('"').next().unwrap()) {
        assert!(schemas.contains_key(name), "there is no schema {name}");
    }
}
