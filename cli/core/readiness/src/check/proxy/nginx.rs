//! nginx's grammar: words, `;`, and blocks.

/// A directive with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    pub name: String,
    pub words: Vec<String>,
    pub children: Vec<Directive>,
    pub line: usize,
}

/// Where the text stops making sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub line: usize,
    pub what: &'static str,
}

const DEEPEST: usize = 32;

/// The directives of a file.
pub fn parse(text: &str) -> Result<Vec<Directive>, Broken> {
    let mut open: Vec<(Option<Directive>, Vec<Directive>)> = vec![(None, Vec::new())];
    let mut words: Vec<(String, usize)> = Vec::new();
    for (token, line) in tokens(text)? {
        match token {
            Token::Word(word) => words.push((word, line)),
            Token::End => {
                if let Some(directive) = made(&mut words)
                    && let Some((_, children)) = open.last_mut()
                {
                    children.push(directive);
                }
            }
            Token::Open => {
                let Some(directive) = made(&mut words) else {
                    return Err(Broken { line, what: "a block without a name" });
                };
                if open.len() >= DEEPEST {
                    return Err(Broken { line, what: "blocks in blocks without end" });
                }
                open.push((Some(directive), Vec::new()));
            }
            Token::Close => {
                let broken = Broken { line, what: "a } too many" };
                let Some((Some(mut directive), children)) = open.pop() else { return Err(broken) };
                directive.children = children;
                let Some((_, siblings)) = open.last_mut() else { return Err(broken) };
                siblings.push(directive);
            }
        }
    }
    let line = text.lines().count();
    match open.pop() {
        Some((None, directives)) if words.is_empty() => Ok(directives),
        Some((None, _)) => Err(Broken { line, what: "a directive without ;" }),
        _ => Err(Broken { line, what: "a { that is never closed" }),
    }
}

fn made(words: &mut Vec<(String, usize)>) -> Option<Directive> {
    let mut words = std::mem::take(words).into_iter();
    let (name, line) = words.next()?;
    Some(Directive { name, words: words.map(|(word, _)| word).collect(), children: Vec::new(), line })
}

enum Token {
    Word(String),
    Open,
    Close,
    End,
}

fn tokens(text: &str) -> Result<Vec<(Token, usize)>, Broken> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => line += 1,
            c if c.is_whitespace() => {}
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            ';' => tokens.push((Token::End, line)),
            '{' => tokens.push((Token::Open, line)),
            '}' => tokens.push((Token::Close, line)),
            '"' | '\'' => {
                let (mut word, begun) = (String::new(), line);
                loop {
                    match chars.next() {
                        None => return Err(Broken { line: begun, what: "a quote that is never closed" }),
                        Some('\\') => word.extend(chars.next()),
                        Some(end) if end == c => break,
                        Some(inside) => {
                            line += usize::from(inside == '\n');
                            word.push(inside);
                        }
                    }
                }
                tokens.push((Token::Word(word), begun));
            }
            c => {
                let mut word = String::from(c);
                // `${name}` is a variable and no block.
                while let Some(next) = chars.next_if(|n| {
                    !n.is_whitespace()
                        && *n != ';'
                        && (*n != '{' || word.ends_with('$'))
                        && (*n != '}' || word.contains("${"))
                }) {
                    word.push(next);
                }
                tokens.push((Token::Word(word), line));
            }
        }
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_blocks_and_lines() {
        let text = "# a comment {\nhttp {\n  map $http_upgrade $c { default upgrade; '' close; }\n  server { listen 443 ssl; }\n}\n";
        let tree = parse(text).unwrap();
        assert_eq!(tree[0].name, "http");
        assert_eq!(tree[0].children[0].children[1].name, "");
        assert_eq!((tree[0].children[1].children[0].words.len(), tree[0].children[1].line), (2, 4));
        assert_eq!(parse("a ${b}c;").unwrap()[0].words, ["${b}c"]);
    }

    #[test]
    fn what_does_not_close_is_told_with_its_line() {
        for bad in ["a {", "a }", "a", "{ }", "a \"b"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn strangers_text_ends(text in "[a-z{};\"'#$\\\\ \n]{0,200}") {
            let _ = parse(&text);
        }
    }
}
