//! Rust source in which comments and literals are blank, so that a search meets code only.

/// The masked code (same lines, same columns) and the literals that were in it.
pub struct Masked {
    pub code: String,
    /// Text of each string literal with the line (from 1) on which it opens.
    pub strings: Vec<(usize, String)>,
}

impl Masked {
    /// Masks a source file. Broken source gives some answer, never a panic.
    pub fn of(source: &str) -> Self {
        let mut masker = Masker { rest: source, line: 1, code: String::new(), strings: Vec::new() };
        while masker.step() {}
        Self { code: masker.code, strings: masker.strings }
    }
}

struct Masker<'a> {
    rest: &'a str,
    line: usize,
    code: String,
    strings: Vec<(usize, String)>,
}

impl Masker<'_> {
    /// Takes one token; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if self.rest.starts_with("//") {
            self.blank(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.blank(block_comment(self.rest));
        } else if first == '"' {
            self.literal(1, quoted(self.rest));
        } else if let Some((opening, length)) = raw_string(self.rest) {
            self.literal(opening, length);
        } else if first == '\'' {
            self.blank(character(self.rest));
        } else if is_word(first) {
            self.keep(self.rest.find(|c: char| !is_word(c)).unwrap_or(self.rest.len()));
        } else {
            self.keep(first.len_utf8());
        }
        true
    }

    fn literal(&mut self, opening: usize, length: usize) {
        let text = self.rest.get(opening..length).unwrap_or_default();
        self.strings.push((self.line, text.trim_end_matches(['"', '#']).to_owned()));
        self.blank(length);
    }

    fn blank(&mut self, length: usize) {
        let (head, tail) = self.rest.split_at(length);
        self.code.extend(head.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        self.line += head.matches('\n').count();
        self.rest = tail;
    }

    fn keep(&mut self, length: usize) {
        let (head, tail) = self.rest.split_at(length);
        self.code.push_str(head);
        self.line += head.matches('\n').count();
        self.rest = tail;
    }
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(s: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < s.len() {
        let rest = &s[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    s.len()
}

fn quoted(s: &str) -> usize {
    let mut escaped = false;
    for (at, c) in s.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    s.len()
}

/// `r"…"`, `br#"…"#` and the like: where the text begins and where the literal ends.
fn raw_string(s: &str) -> Option<(usize, usize)> {
    let after = s.strip_prefix("br").or_else(|| s.strip_prefix("cr")).or_else(|| s.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let text = after[hashes..].strip_prefix('"')?;
    let opening = s.len() - text.len();
    let closing = format!("\"{}", "#".repeat(hashes));
    let length = text.find(&closing).map_or(s.len(), |at| opening + at + closing.len());
    Some((opening, length))
}

/// A character literal; for a lifetime only the tick.
fn character(s: &str) -> usize {
    let mut chars = s.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            chars.next();
            chars.find(|(_, c)| *c == '\'').map_or(s.len(), |(at, _)| at + 1)
        }
        Some((at, c)) if s[at + c.len_utf8()..].starts_with('\'') => at + c.len_utf8() + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn comments_and_literals_become_blank() {
        let source =
            "let a = \"fn x() {\"; // }\n/* { /* { */ } */ let b = '{'; let c: &'a str = r#\"}\"{\"#;";
        let masked = Masked::of(source);
        assert_eq!(masked.code.matches(['{', '}']).count(), 0, "{}", masked.code);
        assert!(masked.code.contains("let c: & a str"));
        assert_eq!(masked.strings, [(1, "fn x() {".to_owned()), (2, "}\"{".to_owned())]);
    }

    #[test]
    fn an_escaped_quote_does_not_end_a_string_and_a_name_is_no_raw_string() {
        let masked = Masked::of(r#"let for_r = ("a\"b", '\'', '\\', b'"'); attr"#);
        assert_eq!(masked.strings, [(1, r#"a\"b"#.to_owned())]);
        assert!(masked.code.ends_with("attr"));
    }

    proptest! {
        #[test]
        fn lines_and_columns_stay(source in "[a-z\"'/*{}\\\\#r\n é]{0,80}") {
            let masked = Masked::of(&source);
            let shape = |s: &str| s.lines().map(|l| l.chars().count()).collect::<Vec<_>>();
            prop_assert_eq!(shape(&masked.code), shape(&source));
        }
    }
}
