//! Which bytes of the text a value owns.

use std::ops::Range;

use super::Style;

/// Places of characters as places of bytes, and the text around them.
pub struct Spans<'a> {
    text: &'a str,
    /// Byte of each character; absent when all are one byte long.
    bytes: Option<Vec<u32>>,
}

impl<'a> Spans<'a> {
    /// For this text, which is shorter than 4 GiB.
    pub fn of(text: &'a str) -> Self {
        let table = || text.char_indices().map(|(at, _)| at as u32).collect();
        Self { text, bytes: (!text.is_ascii()).then(table) }
    }
    /// The byte at which a character begins.
    pub fn byte(&self, character: usize) -> usize {
        match &self.bytes {
            None => character.min(self.text.len()),
            Some(table) => table.get(character).map_or(self.text.len(), |at| *at as usize),
        }
    }
    /// Whether a collection begins with a bracket.
    pub fn opens_flow(&self, start: usize, end: usize) -> bool {
        end > start && self.text[start..end].ends_with(['[', '{'])
    }
    /// Whether a collection ends with a bracket.
    pub fn closes_flow(&self, end: usize) -> bool {
        self.text[..end].ends_with([']', '}'])
    }
    /// Tag to end, and the content alone, of a scalar that the parser saw at `start..end`, with nothing but
    /// punctuation between `behind` and it. None when it is written in a way that is not understood.
    pub fn scalar(
        &self,
        behind: usize,
        start: usize,
        end: usize,
        style: Style,
        tagged: bool,
    ) -> Option<(Range<usize>, Range<usize>)> {
        let (first, behind, bare) = if tagged { self.tag(start)? } else { (start, behind, start) };
        if !matches!(style, Style::Literal | Style::Folded) {
            let content = if tagged && end <= bare {
                bare
            } else if tagged {
                behind
            } else {
                start
            };
            return Some((first..end.max(content), content..end.max(content)));
        }
        let header =
            if tagged { self.is_header(behind).then_some(behind) } else { self.header(behind, start) }?;
        let first = if tagged { first } else { header };
        let content = self.text[header..].find('\n').map_or(self.text.len(), |at| header + at + 1);
        let last = self.last_line(content, end.max(content));
        Some((first..last.max(header + 1), content.min(last)..last))
    }

    /// Where `|` or `>` stands: on a line in front of the content, or there when it has none.
    fn header(&self, behind: usize, start: usize) -> Option<usize> {
        let line = self.text[..start].rfind('\n').map_or(0, |n| n + 1).max(behind.min(start));
        let region = self.text.get(behind.min(start)..line)?;
        let before = region.rmatch_indices(['|', '>']).map(|(at, _)| behind.min(start) + at);
        before.chain([start]).find(|at| self.is_header(*at))
    }

    /// Whether a block begins here: nothing but its indicators and a comment stand on the line.
    fn is_header(&self, at: usize) -> bool {
        let line = self.text[at..].split('\n').next().unwrap_or_default();
        let Some(rest) = line.strip_prefix(['|', '>']) else { return false };
        let rest = rest.split('#').next().unwrap_or_default().trim();
        rest.chars().all(|c| c.is_ascii_digit() || c == '+' || c == '-')
    }

    /// Where the tag at `at` begins, where the content behind it does, and where the tag ends.
    fn tag(&self, at: usize) -> Option<(usize, usize, usize)> {
        let tag = self.text.get(at..)?.split(|c: char| c.is_whitespace() || c == ',').next()?;
        if !tag.starts_with('!') {
            return None;
        }
        let end = at + tag.len();
        let blanks = self.text[end..].len() - self.text[end..].trim_start().len();
        Some((at, end + blanks, end))
    }

    /// The end of the last line that is not blank, its line end left out.
    fn last_line(&self, from: usize, to: usize) -> usize {
        let region = &self.text[from..to];
        let mut end = 0;
        let mut at = 0;
        for line in region.split_inclusive('\n') {
            let whole = line.ends_with('\n') || to == self.text.len();
            let text = line.trim_end_matches(['\n', '\r']);
            if whole && !text.trim().is_empty() {
                end = at + text.len();
            }
            at += line.len();
        }
        if end == 0 { from.saturating_sub(1) } else { from + end }
    }
}
