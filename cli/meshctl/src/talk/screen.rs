//! Where words go: answers to standard output, talk to standard error.

use std::io::{self, IsTerminal, Write};

use jiff::Timestamp;
use serde_json::Value;

use super::{Answer, Failure};

/// The terminal, or what stands for it.
#[derive(Debug, Clone)]
pub struct Screen {
    /// Columns; `None` when standard output is no terminal, so that nothing is cut.
    pub width: Option<usize>,
    /// The moment that ages are counted from.
    pub now: Timestamp,
    /// Whether answers are JSON.
    pub json: bool,
}

impl Screen {
    /// Standard output as it is.
    pub fn of_this_terminal(json: bool) -> Self {
        let columns = || terminal_size::terminal_size().map(|(w, _)| usize::from(w.0));
        let width = if io::stdout().is_terminal() { columns() } else { None };
        Self { width, now: Timestamp::now(), json }
    }
    /// Puts an answer on standard output. A reader that has gone away is no error.
    pub fn show(&self, answer: &Answer) {
        let text = match &answer.json {
            Value::Null => return,
            json if self.json => format!("{json}\n"),
            _ => printable(&answer.text),
        };
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
    /// Says something beside the answer.
    pub fn note(&self, words: &str) {
        let _ = writeln!(io::stderr(), "note: {}", printable(words));
    }
    /// Says why there is no answer; as JSON on standard output too when answers are JSON.
    pub fn complain(&self, failure: &Failure) {
        let _ = io::stderr().write_all(printable(&failure.lines()).as_bytes());
        if self.json {
            let json = serde_json::json!({ "error": failure });
            let _ = writeln!(io::stdout(), "{json}");
        }
    }
}

/// Devices name themselves: what could steer a terminal is shown as a replacement character.
fn printable(text: &str) -> String {
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\tc\n\u{9b}d"), "a\u{fffd}[2Jb\tc\n\u{fffd}d");
    }
}
