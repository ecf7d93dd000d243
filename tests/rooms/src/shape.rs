//! How big things are: lines of a file, lines of a function.

use crate::masked::{Masked, is_word};

/// Lines of a source file without the inline test module that ends it.
pub fn lines_without_tests(masked: &Masked) -> usize {
    without_tests(&masked.code).lines().count()
}

/// The code in front of the inline test module that ends a file; all of it when there is none.
pub fn without_tests(code: &str) -> &str {
    let mut from = 0;
    while let Some(at) = code[from..].find("#[cfg(test)]").map(|at| at + from) {
        let body = code[at..].find('{').map(|open| at + open);
        let item = code[at..body.unwrap_or(at)].trim_end();
        let is_module = item.lines().last().is_some_and(|l| l.trim_start().starts_with("mod "));
        if is_module && body.and_then(|b| closing(code, b)).is_some_and(|end| code[end..].trim().is_empty()) {
            return &code[..at];
        }
        from = at + 1;
    }
    code
}

/// A function with the line it begins on (from 1) and its number of lines, signature included.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

/// Every function with a body.
pub fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if code[..at].ends_with(is_word) {
            continue;
        }
        let name: String = code[at + 3..].chars().take_while(|c| is_word(*c)).collect();
        let Some(end) = body(code, at).and_then(|open| closing(code, open)) else { continue };
        let line = 1 + code[..at].matches('\n').count();
        found.push(Function { name, line, lines: 1 + code[at..end].matches('\n').count() });
    }
    found
}

/// Where the body of the item at `at` opens; none for a declaration without one.
fn body(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (offset, c) in code[at..].char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(at + offset),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// The place behind the brace that closes the one at `open`.
fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (offset, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(open + offset + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "fn one() {}\ntrait T { fn declared(&self, a: [u8; 3]); }\n\
        fn two(\n    f: fn(u8) -> u8,\n) -> [u8; 2] {\n    if true { }\n    \"}\"\n}\n\
        #[cfg(test)]\nmod tests {\n    #[test]\n    fn three() {\n    }\n}\n";

    #[test]
    fn functions_are_measured_with_their_signature() {
        let masked = Masked::of(SOURCE);
        let found = functions(without_tests(&masked.code));
        let function = |name: &str, line, lines| Function { name: name.to_owned(), line, lines };
        assert_eq!(found, [function("one", 1, 1), function("two", 3, 6)]);
    }

    #[test]
    fn only_tests_at_the_end_are_free() {
        assert_eq!(lines_without_tests(&Masked::of(SOURCE)), 8);
        let more = format!("{SOURCE}fn after() {{}}\n");
        assert_eq!(lines_without_tests(&Masked::of(&more)), 15);
        let marked = "#[cfg(test)]\nuse std::fmt;\nfn real() {\n}\n";
        assert_eq!(lines_without_tests(&Masked::of(marked)), 4);
    }
}
