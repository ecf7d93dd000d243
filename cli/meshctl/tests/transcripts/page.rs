//! A page: files, commands and what they must say.

pub struct Page {
    pub server: bool,
    pub blocks: Vec<Block>,
}

pub enum Block {
    File { name: String, text: String },
    Command { line: usize, words: Vec<String>, expected: Vec<String> },
}

impl Page {
    pub fn parse(text: &str) -> Self {
        let mut blocks = Vec::new();
        let mut fence: Option<&str> = None;
        for (number, line) in text.lines().enumerate() {
            match (fence, line.strip_prefix("```")) {
                (None, Some(language)) => {
                    fence = Some(language);
                    if language.contains('.') {
                        blocks.push(Block::File { name: language.to_owned(), text: String::new() });
                    }
                }
                (Some(_), Some(_)) => fence = None,
                (Some("console"), None) => match (line.strip_prefix("$ meshctl"), blocks.last_mut()) {
                    (Some(rest), _) => {
                        let command =
                            Block::Command { line: number + 1, words: split(rest), expected: Vec::new() };
                        blocks.push(command);
                    }
                    (None, Some(Block::Command { expected, .. })) => expected.push(line.to_owned()),
                    (None, _) => panic!("line {}: output without a command", number + 1),
                },
                (Some(_), None) => {
                    if let Some(Block::File { text, .. }) = blocks.last_mut() {
                        text.push_str(line);
                        text.push('\n');
                    }
                }
                (None, None) => {}
            }
        }
        Self { server: text.contains("<!-- server -->"), blocks }
    }
}

/// Words between blanks; single quotes keep blanks together.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, part) in line.split('\'').enumerate() {
        if i % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Whether the lines are as expected; `…` alone in a line stands for any lines.
pub fn matches(expected: &[String], said: &[String]) -> bool {
    match (expected.split_first(), said.split_first()) {
        (None, None) => true,
        (Some((any, rest)), _) if any == "…" => (0..=said.len()).any(|n| matches(rest, &said[n..])),
        (Some((pattern, rest)), Some((line, more))) => fits(pattern, line) && matches(rest, more),
        _ => false,
    }
}

fn fits(pattern: &str, line: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('…') else { return pattern == line };
    let Some(rest) = line.strip_prefix(head) else { return false };
    rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| fits(tail, &rest[at..]))
}

#[test]
fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(matches(&lines("a\n…\nz"), &lines("a\nb\nc\nz")));
    assert!(matches(&lines("a\n…\nz"), &lines("a\nz")));
    assert!(!matches(&lines("a\n…\nz"), &lines("a\nb")));
    assert!(matches(&lines("key … of …!"), &lines("key 3 of me!")));
    assert!(!matches(&lines("key … of …!"), &lines("key 3 of me")));
    assert!(!matches(&lines("a"), &lines("a\nb")));
    assert!(!matches(&lines(""), &lines("a")));
}

#[test]
fn quotes_keep_blanks_together() {
    assert_eq!(
        split(" user create a --display-name 'A B'"),
        ["user", "create", "a", "--display-name", "A B"]
    );
}
