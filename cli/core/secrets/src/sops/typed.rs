//! What a value that is not encrypted contributes to the MAC: its typed form, as Go prints it.

use crate::document::{Scalar, Style};

/// The bytes; `None` inside for null, which contributes nothing; an error when the type is not certain.
pub fn plain(scalar: &Scalar) -> Result<Option<String>, ()> {
    let text = scalar.text.as_str();
    match scalar.tag.as_deref() {
        Some("tag:yaml.org,2002:str") => return Ok(Some(text.to_owned())),
        Some(_) => return Err(()),
        None if scalar.style != Style::Plain => return Ok(Some(text.to_owned())),
        None => {}
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(None),
        "true" | "True" | "TRUE" => return Ok(Some("True".to_owned())),
        "false" | "False" | "FALSE" => return Ok(Some("False".to_owned())),
        _ => {}
    }
    let number_like = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if !number_like {
        return Ok(Some(text.to_owned()));
    }
    if let Some(number) = integer(text) {
        return Ok(Some(number));
    }
    if let Some(number) = float(text) {
        return Ok(Some(number));
    }
    if is_uncertain(text) { Err(()) } else { Ok(Some(text.to_owned())) }
}

/// What a decrypted value contributes: numbers in the form that Go prints.
pub fn opened(kind: &str, text: &[u8]) -> Vec<u8> {
    let printed = std::str::from_utf8(text).ok().and_then(|text| match kind {
        "int" => text.parse::<i64>().ok().map(|n| n.to_string()),
        "float" => text.parse::<f64>().ok().filter(|f| f.is_finite()).map(|f| f.to_string()),
        _ => None,
    });
    printed.map_or_else(|| text.to_vec(), String::into_bytes)
}

/// Decimal, without a leading zero, which would mean octal.
fn integer(text: &str) -> Option<String> {
    let digits = text.trim_start_matches(['+', '-']);
    let signs = text.len() - digits.len();
    let decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if signs > 1 || !decimal || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    text.parse::<i64>().ok().map(|n| n.to_string())
}

/// `1.5`, `.5`, `1.`, `1e3`: the float of YAML 1.2's core schema, finite.
fn float(text: &str) -> Option<String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let dotted = digits.contains(['.', 'e', 'E']);
    let lawful = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || ".eE+-".contains(c));
    if !dotted || !lawful {
        return None;
    }
    text.parse::<f64>().ok().filter(|f| f.is_finite()).map(|f| f.to_string())
}

/// Other bases, separators, dates, infinities: readers differ, or the file's MAC depends on details of one.
fn is_uncertain(text: &str) -> bool {
    let body = text.trim_start_matches(['+', '-']);
    let lower = body.to_ascii_lowercase();
    let based = ["0x", "0o", "0b"].iter().any(|p| lower.starts_with(p));
    let special = [".inf", ".nan"].contains(&lower.as_str());
    let digits = body.chars().all(|c| c.is_ascii_digit() || c == '_');
    let date = body.len() >= 8
        && body.as_bytes()[..4].iter().all(u8::is_ascii_digit)
        && body.as_bytes()[4] == b'-'
        && body.chars().all(|c| c.is_ascii_digit() || "-:.+ TtZz".contains(c));
    let underscored = body.contains('_') && body.chars().all(|c| c.is_ascii_digit() || "_.eE+-".contains(c));
    based || special || date || underscored || (digits && !body.is_empty())
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn of(text: &str) -> Result<Option<String>, ()> {
        let text = Zeroizing::new(text.to_owned());
        plain(&Scalar { text, style: Style::Plain, tag: None, content: 0..0 })
    }

    #[test]
    fn types_are_those_of_the_reference() {
        for (text, printed) in [
            ("abc", "abc"),
            ("yes", "yes"),
            ("TRUE", "True"),
            ("8080", "8080"),
            ("+5", "5"),
            ("-0", "0"),
            ("1.50", "1.5"),
            ("1.0", "1"),
            ("1e3", "1000"),
            (".5", "0.5"),
            ("-x", "-x"),
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("1a", "1a"),
            ("-", "-"),
            ("12:30", "12:30"),
        ] {
            assert_eq!(of(text), Ok(Some(printed.to_owned())), "{text}");
        }
        assert_eq!(of("~"), Ok(None));
        for text in [
            "0x1f",
            "0o17",
            "017",
            "1_000",
            "2025-08-06",
            "2025-08-06T18:55:05Z",
            ".inf",
            "99999999999999999999",
        ] {
            assert_eq!(of(text), Err(()), "{text}");
        }
    }
}
