//! A mistake with the line it stands in and a mark below it.

use policy::PolicyError;

/// Most characters of a line that are shown.
const WIDTH: usize = 96;

/// Several lines: what is wrong, where, the line itself with a caret, and a hint if there is one.
pub fn excerpt(name: &str, text: &str, error: &PolicyError) -> String {
    let PolicyError { line, column, message, hint } = error;
    let mut out = format!("error: {message}\n  --> {name}:{line}:{column}\n");
    let source = text.lines().nth((*line as usize).saturating_sub(1)).unwrap_or_default();
    let at = (*column as usize).saturating_sub(1);
    let margin = line.to_string();
    let blank = " ".repeat(margin.len());
    let (shown, before, length) = window(source, at);
    if !shown.trim().is_empty() {
        out.push_str(&format!(
            "{blank} |\n{margin} | {shown}\n{blank} | {}{}\n",
            " ".repeat(before),
            "^".repeat(length)
        ));
    }
    if let Some(hint) = hint {
        out.push_str(&format!("{blank} = hint: {hint}\n"));
    }
    out
}

/// The part of the line around the place, how far in it the place is, and how much to underline.
fn window(source: &str, at: usize) -> (String, usize, usize) {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let start = at.saturating_sub(WIDTH / 2);
    let start = if at < WIDTH * 3 / 4 { 0 } else { start };
    let mut shown: String = source.chars().skip(start).take(WIDTH).map(plain).collect();
    let mut before = at - start;
    let token: String = source.chars().skip(at).take(WIDTH.saturating_sub(before)).collect();
    let length = underlined(&token);
    if start > 0 {
        shown.insert(0, '…');
        before += 1;
    }
    if source.chars().nth(start + WIDTH).is_some() {
        shown.push('…');
    }
    (shown.trim_end().to_owned(), before, length)
}

/// A text in quotes as a whole, a word as a whole, otherwise one character.
fn underlined(token: &str) -> usize {
    let mut chars = token.chars();
    let Some(first) = chars.next() else { return 1 };
    if first == '"' {
        let mut escaped = false;
        let end = chars.position(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        return end.map_or(1, |end| end + 2);
    }
    token.chars().take_while(|c| c.is_alphanumeric()).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: u32, column: u32) -> PolicyError {
        PolicyError { line, column, message: "wrong".into(), hint: Some("right".into()) }
    }

    #[test]
    fn the_mark_stands_below_the_word() {
        let text = "{\r\n\t\"acls\": [\"tag:wbe\"],\r\n}";
        let shown = excerpt("p", text, &error(2, 11));
        assert_eq!(
            shown,
            "error: wrong\n  --> p:2:11\n  |\n2 |  \"acls\": [\"tag:wbe\"],\n  |           ^^^^^^^^^\n  = hint: right\n"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}\"here\"{}", "ä".repeat(5000), "b".repeat(5000));
        let shown = excerpt("p", &text, &error(1, 5001));
        let lines: Vec<_> = shown.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() < 120), "{shown}");
        let at = lines[4].find('^').unwrap() - lines[4].find('|').unwrap();
        let bar = lines[3].chars().position(|c| c == '|').unwrap();
        assert_eq!(lines[3].chars().skip(bar + at).take(6).collect::<String>(), "\"here\"");
    }

    #[test]
    fn places_outside_of_the_text_are_no_trouble() {
        for (line, column) in [(0, 0), (1, 1), (9, 9), (1, u32::MAX)] {
            assert!(excerpt("p", "", &error(line, column)).contains("wrong"));
            assert!(excerpt("p", "\"", &error(line, column)).contains("wrong"));
        }
    }
}
