//! A case in which everybody and everything has another name.

use serde_json::Value;

/// The case with other names of users, nodes, tags, groups and hosts, in the question and in the answer.
pub fn renamed(case: &Value) -> Value {
    let mut names: Vec<(String, String)> = Vec::new();
    let mut rename = |word: &str| {
        if !names.iter().any(|(known, _)| known == word) {
            names.push((word.to_owned(), format!("q{}z", &word[..word.len().min(2)]) + word));
        }
    };
    for user in case["users"].as_array().unwrap() {
        rename(user["name"].as_str().unwrap());
    }
    for name in case["nodes"].as_object().unwrap().keys() {
        rename(name);
    }
    for section in ["groups", "tagOwners", "hosts"] {
        for name in case["policy"][section].as_object().into_iter().flatten().map(|(name, _)| name) {
            let name = name.split_once(':').map_or(name.as_str(), |(_, name)| name);
            if name.is_ascii() {
                rename(name);
            }
        }
    }
    // Longer words first, so that no word is renamed within another.
    names.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    let mut out = case.clone();
    walk(&mut out, &names);
    for fixed in ["id", "category", "accepted"] {
        out[fixed] = case[fixed].clone();
    }
    if let Some(error) = case["error"].as_str() {
        // Only what stands in quotes are names.
        let parts = error.split('"').enumerate();
        let parts: Vec<_> =
            parts.map(|(at, part)| if at % 2 == 1 { words(part, &names) } else { part.to_owned() }).collect();
        out["error"] = parts.join("\"").into();
    }
    out
}

fn walk(value: &mut Value, names: &[(String, String)]) {
    match value {
        Value::String(text) => *text = words(text, names),
        Value::Array(list) => list.iter_mut().for_each(|value| walk(value, names)),
        Value::Object(map) => {
            let old = std::mem::take(map);
            for (key, mut value) in old {
                let is_field = ["src", "dst", "tags", "user", "users", "hosts"].contains(&key.as_str());
                if key != "attr" && key != "app" && key != "CapMap" {
                    walk(&mut value, names);
                }
                map.insert(if is_field { key } else { words(&key, names) }, value);
            }
        }
        _ => {}
    }
}

/// The text with whole words renamed: what stands between characters that no name has.
fn words(text: &str, names: &[(String, String)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        let is_prefix =
            tail.starts_with(':') && ["tag", "group", "autogroup", "user", "host"].contains(&word);
        let is_autogroup = out.ends_with("autogroup:");
        let other = names.iter().find(|(name, _)| name == word).filter(|_| !is_prefix && !is_autogroup);
        out.push_str(other.map_or(word, |(_, other)| other));
        let mut chars = tail.chars();
        out.extend(chars.next());
        rest = chars.as_str();
    }
    out
}
