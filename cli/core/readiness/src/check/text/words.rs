//! Lines as words of a shell, near enough to see which command is named.

/// Words of a line; quotes and other marks of prose are left out, `{{ x }}` stays one word.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| !is_gap(c)) {
        rest = &rest[start..];
        let end = match rest.strip_prefix("{{").and_then(|inner| inner.find("}}")) {
            Some(inner) => inner + 4,
            None => rest.find(is_gap).unwrap_or(rest.len()),
        };
        let word = rest[..end].trim_end_matches(['.', ':', '!', '?']);
        words.push(if word.is_empty() { rest[..end].to_owned() } else { word.to_owned() });
        rest = &rest[end..];
    }
    words
}

fn is_gap(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '`' | '"' | '\'' | '(' | ')' | ',' | ';' | '|' | '&' | '<' | '>' | '[' | ']' | '*')
}

/// The words behind each place where these stand one after another.
pub fn behind<'a>(words: &'a [String], wanted: &[&str]) -> Vec<&'a [String]> {
    let fits = |window: &[String]| {
        window.iter().zip(wanted).all(|(word, wanted)| word.rsplit('/').next() == Some(*wanted))
    };
    let starts = words.windows(wanted.len()).enumerate().filter(|(_, window)| fits(window));
    starts.map(|(at, _)| &words[at + wanted.len()..]).collect()
}

/// Whether `name` stands in the text as a whole word.
pub fn names(text: &str, name: &str) -> bool {
    places(text, name).next().is_some()
}

/// Where `name` stands as a whole word: the text behind it.
pub fn places<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(|c| is_word(c) || c == '.');
        let rest = &text[at + name.len()..];
        let after = rest.chars().next().is_some_and(is_word);
        (!before && !after).then_some(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_found_in_prose_and_in_yaml() {
        let line = "- command: `/usr/bin/headscale routes list`, then \"ping {{ vpc_dns }}\".";
        let words = words(line);
        assert_eq!(behind(&words, &["headscale", "routes"]).len(), 1);
        assert_eq!(behind(&words, &["ping"])[0][0], "{{ vpc_dns }}");
        assert!(behind(&words, &["headscale", "list"]).is_empty());
    }

    #[test]
    fn names_are_whole() {
        assert!(names("users.stdout == x", "users"));
        assert!(!names("all_users", "users") && !names("users_all", "users") && !names("x.users", "users"));
    }
}
