//! What the OpenAPI document says of an operation, and a body that says as little as it may.

use api::{Declared, OPENAPI};
use serde_json::{Map, Value, json};

/// One operation of the document.
pub struct Told(Value);

/// What it says of this one.
pub fn of(operation: &Declared) -> Told {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let told = document["paths"][operation.path][operation.method.to_string().to_lowercase()].clone();
    assert!(told.is_object(), "{operation:?}");
    Told(told)
}

impl Told {
    /// The schema of its body, if it takes one.
    pub fn body(&self) -> Option<Value> {
        let body = self.0.get("requestBody")?;
        Some(body["content"]["application/json"]["schema"].clone())
    }
    /// Names and types of what its query takes.
    pub fn query(&self) -> Vec<(String, String)> {
        let all = self.0["parameters"].as_array().unwrap().iter().filter(|p| p["in"] == "query");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        all.map(|p| (text(&p["name"]), text(&p["schema"]["type"]))).collect()
    }
}

/// A body that is right: every member that must be there, as something that is there.
pub fn sample(schema: &Value) -> Value {
    let members = required(schema).into_iter().map(|name| {
        let value = match name.as_str() {
            "role" => json!("member"),
            "node" => json!("laptop"),
            "user" | "login" => json!("alice"),
            "name" | "secret" => json!("fine"),
            "tags" => json!(["tag:member"]),
            "prefixes" => json!(["10.0.0.0/24"]),
            "addresses" => json!(["192.0.2.1"]),
            "recipients" | "roles" => json!([]),
            "policy" => json!("{}"),
            other => panic!("no value is known for {other}"),
        };
        (name, value)
    });
    Value::Object(members.collect::<Map<_, _>>())
}

pub fn required(schema: &Value) -> Vec<String> {
    let names = schema["required"].as_array().into_iter().flatten();
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Values that a schema does not allow, each with the name of the member at fault.
pub fn wrong(name: &str, schema: &Value) -> Vec<(String, Value)> {
    let allowed: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        other => panic!("{name} is {other}"),
    };
    let mut wrong: Vec<_> =
        [json!(null), json!(true), json!(1.5), json!("no"), json!([[7]]), json!({"no": 7})]
            .into_iter()
            .filter(|value| !allowed.contains(&kind(value)))
            .collect();
    if allowed.contains(&"integer") {
        wrong.extend([json!(-1), json!(1e300), json!("1"), json!(i64::MIN)]);
    }
    let formed = ["pattern", "enum", "format"].into_iter().find_map(|form| schema.get(form));
    if formed.is_some_and(|form| form != "password") && allowed.contains(&"string") {
        wrong.extend(["", "0", "null", "../..", "\0", "all\n"].map(Value::from));
    }
    let mut named: Vec<_> = wrong.into_iter().map(|value| (name.to_owned(), value)).collect();
    if allowed.contains(&"array") {
        let items = self::wrong(name, &schema["items"]);
        named.extend(items.into_iter().map(|(name, value)| (name, json!([value]))));
    }
    for (member, inner) in schema["properties"].as_object().into_iter().flatten() {
        let inner = self::wrong(member, inner).into_iter().map(|(name, value)| {
            let mut whole = inner_sample(schema);
            whole[member] = value;
            (name, whole)
        });
        named.extend(inner);
    }
    named
}

fn inner_sample(schema: &Value) -> Value {
    if required(schema).is_empty() { json!({}) } else { sample(schema) }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
