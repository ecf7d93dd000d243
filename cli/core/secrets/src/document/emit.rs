//! How a value is written so that it reads back as the same text.

use super::{Scalar, Style};

/// Where the value will stand.
pub struct Context<'a> {
    /// How the value that is replaced was written; absent for a new one.
    pub old: Option<&'a Scalar>,
    /// Blanks in front of the lines of a block.
    pub indent: usize,
    /// `\n` or `\r\n`.
    pub line_end: &'a str,
}

/// A text as a scalar that resolves to a string, as like its neighbour as it can be.
pub fn scalar(text: &str, context: &Context<'_>) -> String {
    match context.old.map(|s| s.style) {
        Some(Style::Plain) if is_plain(text) => text.to_owned(),
        Some(Style::Single) if text.chars().all(|c| !needs_escape(c)) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        Some(Style::Literal | Style::Folded) if is_block(text) => {
            let mark = if text.ends_with('\n') { "|" } else { "|-" };
            block(mark, text, context)
        }
        None if is_plain(text) => text.to_owned(),
        None | Some(_) => quoted(text),
    }
}

/// A block under this header.
pub fn block(header: &str, text: &str, context: &Context<'_>) -> String {
    let mut out = header.to_owned();
    for line in text.lines() {
        out.push_str(context.line_end);
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', context.indent));
            out.push_str(line);
        }
    }
    out
}

/// In double quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if needs_escape(c) => out.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Characters that a reader of YAML may fold, strip or refuse.
fn needs_escape(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// No reader takes it for anything but this string.
fn is_plain(text: &str) -> bool {
    let words = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./+=@%^$~".contains(c))
        && !words.contains(&text.to_ascii_lowercase().as_str())
}

/// Several lines without a blank at either end and nothing that a block cannot hold.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.contains('\n')
        && !body.starts_with([' ', '\t', '\n'])
        && !body.ends_with(['\n', ' ', '\t'])
        && body.lines().all(|line| line.is_empty() || !line.trim().is_empty())
        && body.chars().all(|c| c == '\n' || c == '\t' || !needs_escape(c))
}
