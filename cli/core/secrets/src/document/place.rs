//! The way to a value: `a.b[0]."c.d"`.

use std::fmt;

use super::Error;

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// Which document of the file, and the steps inside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub document: usize,
    pub steps: Vec<Step>,
}

impl Place {
    /// The document itself.
    pub fn root(document: usize) -> Self {
        Self { document, steps: Vec::new() }
    }
    /// One step into a mapping.
    pub fn key(&self, key: &str) -> Self {
        self.then(Step::Key(key.to_owned()))
    }
    /// One step into a list.
    pub fn index(&self, n: usize) -> Self {
        self.then(Step::Index(n))
    }
    /// Reads `a.b[0]`; a key with dots or brackets stands in double quotes.
    pub fn parse(document: usize, text: &str) -> Result<Self, Error> {
        let wrong = || Error::Place(text.to_owned());
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (step, tail) = if let Some(open) = rest.strip_prefix('[') {
                let (digits, tail) = open.split_once(']').ok_or_else(wrong)?;
                (Step::Index(digits.parse().map_err(|_| wrong())?), tail)
            } else if let Some(open) = rest.strip_prefix('"') {
                let (key, tail) = open.split_once('"').ok_or_else(wrong)?;
                (Step::Key(key.to_owned()), tail)
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let (key, tail) = rest.split_at(end);
                (Step::Key(key.to_owned()), tail)
            };
            if step == Step::Key(String::new()) {
                return Err(wrong());
            }
            steps.push(step);
            rest = match tail.strip_prefix('.') {
                Some("") => return Err(wrong()),
                Some(more) => more,
                None if tail.is_empty() || tail.starts_with('[') => tail,
                None => return Err(wrong()),
            };
        }
        if steps.is_empty() { Err(wrong()) } else { Ok(Self { document, steps }) }
    }
    /// The keys on the way, list positions left out.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
    }
    /// Whether the way begins with this key.
    pub fn is_under(&self, key: &str) -> bool {
        matches!(self.steps.first(), Some(Step::Key(first)) if first == key)
    }
    fn then(&self, step: Step) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step);
        Self { document: self.document, steps }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.steps.iter().enumerate() {
            match step {
                Step::Index(i) => write!(f, "[{i}]")?,
                Step::Key(key) => {
                    let dot = if n == 0 { "" } else { "." };
                    let bare = !key.is_empty() && !key.contains(['.', '[', '"']);
                    if bare { write!(f, "{dot}{key}")? } else { write!(f, "{dot}\"{key}\"")? }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        for text in ["a", "a.b", "a[0]", "a[0][12].c", "a.\"b.c\".d", "a-b_c d"] {
            assert_eq!(Place::parse(0, text).unwrap().to_string(), text);
        }
        for wrong in ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[0]b", "\"a", "\"a\"b", "a[-1]"] {
            assert!(Place::parse(0, wrong).is_err(), "{wrong}");
        }
    }
}
