//! Keys that mean nothing, with the nearest one that does.

use serde_yaml::Value;

use super::Mistake;

/// Every key below `value` that is not in `known` (dotted paths; with `*` at the end, keys of any name).
pub(super) fn keys(place: &str, value: &Value, known: &[&str]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    walk(place, "", value, known, &mut mistakes);
    mistakes
}

fn walk(place: &str, prefix: &str, value: &Value, known: &[&str], mistakes: &mut Vec<Mistake>) {
    let Some(map) = value.as_mapping() else { return };
    for (key, inner) in map {
        let name = key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned);
        let path = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        if known.contains(&path.as_str()) {
            if !known.contains(&format!("{path}.*").as_str()) {
                walk(place, &path, inner, known, mistakes);
            }
            continue;
        }
        let hint = nearest(&path, known).map(|right| format!("did you mean {right}?"));
        mistakes.push(Mistake { place: place.to_owned(), key: path, message: "unknown key".into(), hint });
    }
}

fn nearest<'a>(path: &str, known: &[&'a str]) -> Option<&'a str> {
    let path = path.to_ascii_lowercase();
    let scored = known.iter().filter(|k| !k.ends_with('*')).map(|k| (strsim::jaro_winkler(&path, k), *k));
    scored.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, k)| k)
}
