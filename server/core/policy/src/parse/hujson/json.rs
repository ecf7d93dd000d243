//! A part of the policy that is passed on as it stands.

use jsonc_parser::ast::Value;

/// The value in plain JSON.
pub(crate) fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::StringLit(text) => text.value.as_ref().into(),
        Value::NumberLit(number) => number
            .value
            .parse::<serde_json::Number>()
            .map_or_else(|_| serde_json::Value::String(number.value.to_owned()), serde_json::Value::Number),
        Value::BooleanLit(flag) => flag.value.into(),
        Value::Object(object) => {
            let members = object.properties.iter();
            members.map(|member| (member.name.as_str().to_owned(), plain(&member.value))).collect()
        }
        Value::Array(array) => array.elements.iter().map(plain).collect(),
        Value::NullKeyword(_) => serde_json::Value::Null,
    }
}

/// Whether JSON writes the text with a backslash, which the strictest client does not read.
pub(crate) fn needs_escapes(text: &str) -> bool {
    text.contains(|c: char| c == '"' || c == '\\' || c < ' ')
}

/// Whether some text within the value is such a one.
pub(crate) fn has_escapes(value: &serde_json::Value) -> bool {
    use serde_json::Value as V;
    match value {
        V::String(text) => needs_escapes(text),
        V::Array(list) => list.iter().any(has_escapes),
        V::Object(map) => map.iter().any(|(name, value)| needs_escapes(name) || has_escapes(value)),
        V::Null | V::Bool(_) | V::Number(_) => false,
    }
}
