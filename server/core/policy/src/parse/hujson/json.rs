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

/// Whether JSON writes the text with a backslash, which the strictest client does not read in names.
pub(crate) fn needs_escapes(text: &str) -> bool {
    text.contains(|c: char| c == '"' || c == '\\' || c < ' ')
}
