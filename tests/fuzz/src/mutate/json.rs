//! JSON as a tree, and a tree as text that is more than JSON.

use serde_json::{Map, Value};

use crate::Dice;

/// The value with a few of its parts changed, dropped, doubled, renamed or taken from `donor`.
pub fn altered(mut value: Value, donor: &Value, words: &[&str], dice: &mut Dice) -> Value {
    for _ in 0..dice.few() {
        let depth = 1 + dice.below(6);
        change(&mut value, donor, words, depth, dice);
    }
    value
}

fn change(value: &mut Value, donor: &Value, words: &[&str], depth: usize, dice: &mut Dice) {
    let twin = twin(donor, dice);
    if depth > 0 && descend(value, donor, words, depth, dice) {
        return;
    }
    match value {
        Value::Object(members) => in_object(members, &twin, words, dice),
        Value::Array(items) => in_array(items, &twin, words, dice),
        Value::String(text) if !dice.once_in(6) => respell(text, words, dice),
        other => *other = if dice.once_in(2) { twin } else { plain(words, dice) },
    }
}

/// Goes on with some part of the value; false where there is none.
fn descend(value: &mut Value, donor: &Value, words: &[&str], depth: usize, dice: &mut Dice) -> bool {
    let part = match value {
        Value::Object(members) if !members.is_empty() => {
            let at = dice.below(members.len());
            members.iter_mut().nth(at).map(|(key, part)| (donor.get(key.as_str()).unwrap_or(donor), part))
        }
        Value::Array(items) if !items.is_empty() => {
            let at = dice.below(items.len());
            items.get_mut(at).map(|part| (donor, part))
        }
        _ => None,
    };
    let Some((donor, part)) = part else { return false };
    change(part, donor, words, depth - 1, dice);
    true
}

fn in_object(members: &mut Map<String, Value>, twin: &Value, words: &[&str], dice: &mut Dice) {
    let key = members.keys().nth(dice.below(members.len())).cloned().unwrap_or_default();
    let word = dice_word(words, dice);
    match dice.below(6) {
        0 => drop(members.remove(&key)),
        1 => {
            let taken = members.remove(&key).unwrap_or_default();
            members.insert(word, taken);
        }
        2 => {
            let copy = members.get(&key).cloned().unwrap_or_default();
            members.insert(word, copy);
        }
        3 => drop(members.insert(word, plain(words, dice))),
        4 => {
            if let Value::Object(others) = twin {
                members.extend(others.clone());
            }
        }
        _ => drop(members.insert(key, twin.clone())),
    }
}

fn in_array(items: &mut Vec<Value>, twin: &Value, words: &[&str], dice: &mut Dice) {
    let at = dice.below(items.len());
    match dice.below(6) {
        0 if !items.is_empty() => drop(items.remove(at)),
        1 if !items.is_empty() => items.push(items[at].clone()),
        2 if !items.is_empty() => {
            let other = dice.below(items.len());
            items.swap(at, other);
        }
        3 => items.push(plain(words, dice)),
        4 => items.extend(twin.as_array().cloned().unwrap_or_default()),
        _ => items.push(twin.clone()),
    }
}

fn respell(text: &mut String, words: &[&str], dice: &mut Dice) {
    *text = match dice.below(4) {
        0 => dice_word(words, dice),
        1 => {
            let mut parts: Vec<&str> = text.split(':').collect();
            let word = dice_word(words, dice);
            let at = dice.below(parts.len());
            parts[at] = &word;
            parts.join(":")
        }
        2 => {
            let swapped: String =
                text.chars().map(|c| if dice.once_in(2) { c.to_ascii_uppercase() } else { c }).collect();
            swapped
        }
        _ => super::respelled(text, words, dice),
    };
}

fn dice_word(words: &[&str], dice: &mut Dice) -> String {
    dice.pick(words).copied().unwrap_or_default().to_owned()
}

/// Some part of the other value.
fn twin(donor: &Value, dice: &mut Dice) -> Value {
    let mut part = donor;
    for _ in 0..dice.below(5) {
        part = match part {
            Value::Object(members) if !members.is_empty() => {
                members.values().nth(dice.below(members.len())).unwrap_or(part)
            }
            Value::Array(items) if !items.is_empty() => dice.pick(items).unwrap_or(part),
            _ => break,
        };
    }
    part.clone()
}

fn plain(words: &[&str], dice: &mut Dice) -> Value {
    match dice.below(9) {
        0 => Value::Null,
        1 => dice.once_in(2).into(),
        2 => 0.into(),
        3 => (-1).into(),
        4 => u64::MAX.into(),
        5 => 1e300.into(),
        6 => Value::Array(Vec::new()),
        7 => Value::Object(Map::new()),
        _ => dice_word(words, dice).into(),
    }
}

/// The tree as HuJSON: comments, trailing commas, members that stand twice, odd spaces.
pub fn dressed(value: &Value, dice: &mut Dice) -> String {
    let mut out = String::new();
    dress(value, dice, &mut out);
    out
}

fn dress(value: &Value, dice: &mut Dice, out: &mut String) {
    out.push_str(["", "", "", "", " ", "\n\t", "/* é */", "// [{\n"][dice.below(8)]);
    match value {
        Value::Object(members) => {
            out.push('{');
            let mut comma = "";
            for (key, part) in members {
                for _ in 0..1 + usize::from(dice.once_in(200)) {
                    out.push_str(comma);
                    out.push_str(&Value::from(key.as_str()).to_string());
                    out.push(':');
                    dress(part, dice, out);
                    comma = ",";
                }
            }
            out.push_str(if members.is_empty() || dice.once_in(3) { "}" } else { ",}" });
        }
        Value::Array(items) => {
            out.push('[');
            for (at, part) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                dress(part, dice, out);
            }
            out.push_str(if items.is_empty() || dice.once_in(3) { "]" } else { ",]" });
        }
        plain => out.push_str(&plain.to_string()),
    }
}
