//! The OpenAPI document as a page: a section for each noun, a fold for each operation.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;

/// What an operation is found by: its id, method and path.
type Found<'a> = (&'a str, String, &'a str, &'a Value);

/// The whole page.
pub(super) fn rendered(document: &Value) -> String {
    let mut nouns = BTreeMap::<&str, Vec<Found>>::new();
    for (path, methods) in members(&document["paths"]) {
        for (method, operation) in members(methods) {
            let noun = operation["tags"][0].as_str().unwrap_or("other");
            let id = operation["operationId"].as_str().unwrap_or(path);
            nouns.entry(noun).or_default().push((id, method.to_uppercase(), path, operation));
        }
    }
    let info = &document["info"];
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>meshctl API</title>\n<meta name=\"viewport\" content=\"width=device-width\">\n<link rel=\"stylesheet\" href=\"/api/docs/style.css\"></head><body>\n",
    );
    let _ = writeln!(page, "<h1>The admin API of meshctl {}</h1>", text(&info["version"]));
    let _ = writeln!(
        page,
        "<p>{} <a href=\"/api/openapi.json\">openapi.json</a></p>",
        text(&info["description"])
    );
    let link = |noun: &&str| format!("<a href=\"#{0}\">{0}</a>", escaped(noun));
    let _ = writeln!(page, "<nav>{}</nav>", nouns.keys().map(link).collect::<Vec<_>>().join(" "));
    for (noun, mut operations) in nouns {
        operations.sort_by_key(|(id, ..)| *id);
        let _ = writeln!(page, "<h2 id=\"{0}\">{0}</h2>", escaped(noun));
        for found in operations {
            operation(&mut page, document, &found);
        }
    }
    page.push_str("</body></html>\n");
    page
}

fn operation(page: &mut String, document: &Value, (id, method, path, told): &Found) {
    let _ = writeln!(
        page,
        "<details id=\"{id}\"><summary><b>{method}</b> <code>{path}</code> {words}</summary>",
        id = escaped(id),
        path = escaped(path),
        words = text(&told["summary"])
    );
    let scope = &told["security"][0]["apiKey"][0];
    let _ = writeln!(page, "<p>Needs the scope <code>{}</code>.</p>", text(scope));
    let parameters = told["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        let row = |p: &Value| {
            let place = format!("{} ({})", text(&p["name"]), text(&p["in"]));
            format!(
                "<tr><td><code>{place}</code></td><td>{}</td><td>{}</td></tr>",
                kind(&p["schema"]),
                text(&p["description"])
            )
        };
        let _ = writeln!(page, "<table>{}</table>", parameters.iter().map(row).collect::<String>());
    }
    let input = &told["requestBody"]["content"]["application/json"]["schema"];
    shape(page, document, "Takes", input);
    for content in members(&told["responses"]["200"]["content"]) {
        shape(page, document, &format!("Answers {}", escaped(content.0)), &content.1["schema"]);
    }
    page.push_str("</details>\n");
}

/// The members of an object, one a row.
fn shape(page: &mut String, document: &Value, title: &str, schema: &Value) {
    let schema = resolved(document, schema);
    if members(&schema["properties"]).next().is_none() {
        return;
    }
    let row = |(name, member): (&str, &Value)| {
        let words = text(&resolved(document, member)["description"]);
        let words = if member["description"].is_string() { text(&member["description"]) } else { words };
        format!("<tr><td><code>{}</code></td><td>{}</td><td>{words}</td></tr>", escaped(name), kind(member))
    };
    let rows: String = members(&schema["properties"]).map(row).collect();
    let _ = writeln!(page, "<h3>{title}</h3><table>{rows}</table>");
}

/// A word or two for a type.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        return escaped(name);
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(text).collect::<Vec<_>>().join(" | ");
    }
    let any = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
    if let Some(any) = any {
        return any.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let words = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
        one => text(one),
    };
    match words.as_str() {
        "array" => format!("array of {}", kind(&schema["items"])),
        "" => "anything".to_owned(),
        _ => words,
    }
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next());
    name.map_or(schema, |name| &document["components"]["schemas"][name])
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_on_the_page_and_nothing_that_runs() {
        let page = rendered(&serde_json::from_str(api::OPENAPI).unwrap());
        for operation in api::OPERATIONS {
            assert!(page.contains(&format!("<code>{}</code>", operation.path)), "{}", operation.path);
            assert!(page.contains(&format!("<code>{}</code>", operation.scope().unwrap())));
        }
        for bad in ["<script", "http://", "https://", " style=", " onclick="] {
            assert!(!page.contains(bad), "{bad}");
        }
        assert_eq!(page.matches("<details").count(), api::OPERATIONS.len());
    }

    #[test]
    fn what_a_document_says_is_text() {
        let document = serde_json::json!({"info": {"version": "<b>&\"", "description": "x"}});
        assert!(rendered(&document).contains("&lt;b&gt;&amp;&quot;"));
    }
}
