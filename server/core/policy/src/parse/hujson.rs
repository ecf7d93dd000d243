//! The text as a tree with places, and the list of mistakes that reading it fills.

pub(crate) mod json;

use std::borrow::Cow;

use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{Object, ObjectProp, Value},
    common::Ranged,
};

use crate::{MAX_BYTES, MAX_DEPTH, PolicyError, PolicyErrors, alias::Mistake, alias::nearest};

/// Most mistakes that are reported.
const MAX_ERRORS: usize = 100;
/// Longest message, in characters.
const MAX_MESSAGE: usize = 300;

/// HuJSON and nothing looser.
const SYNTAX: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// What was found in a text, with places.
pub(crate) struct Findings {
    pub(crate) mistakes: Vec<(usize, PolicyError)>,
    pub(crate) unserved: Vec<(usize, PolicyError)>,
}

impl Findings {
    /// Refuses a text with mistakes.
    pub(crate) fn of_language(self) -> Result<(), PolicyErrors> {
        refuse(self.mistakes)
    }

    /// Refuses a text with mistakes or with what a running server does not do yet.
    pub(crate) fn of_server(mut self) -> Result<(), PolicyErrors> {
        self.mistakes.extend(self.unserved);
        self.mistakes.sort_by_key(|(at, _)| *at);
        refuse(self.mistakes)
    }
}

fn refuse(found: Vec<(usize, PolicyError)>) -> Result<(), PolicyErrors> {
    if found.is_empty() {
        return Ok(());
    }
    Err(PolicyErrors(found.into_iter().take(MAX_ERRORS).map(|(_, error)| error).collect()))
}

/// Collects mistakes; a place is a byte of the text.
pub(crate) struct Report<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
    errors: Vec<(usize, PolicyError)>,
    /// What the language has and a running server does not do yet.
    unserved: Vec<(usize, PolicyError)>,
}

impl<'t> Report<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let line_ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(line_ends.map(|(at, _)| at + 1)).collect();
        Self { text, line_starts, errors: Vec::new(), unserved: Vec::new() }
    }

    pub(crate) fn say(&mut self, at: usize, message: impl Into<String>, hint: Option<String>) {
        if self.errors.len() < MAX_ERRORS {
            let (line, column) = self.place(at);
            let error = PolicyError { line, column, message: short(message.into()), hint };
            self.errors.push((at, error));
        }
    }

    pub(crate) fn mistake(&mut self, at: usize, mistake: Mistake) {
        self.say(at, mistake.message, mistake.hint);
    }

    /// Notes a name that a running server could tell some clients in other words only.
    pub(crate) fn as_it_stands(&mut self, at: usize, key: &str, name: &str) {
        if json::needs_escapes(name) {
            let what = "a name with quotes, backslashes or control characters cannot be told to every client";
            let hint = "write it without them; nothing of the policy is ever changed on the way";
            self.cannot_serve(at, format!("{key} {name:?}: {what}"), hint);
        }
    }

    /// Notes what is right by the language, and of no use to a running server.
    pub(crate) fn cannot_serve(&mut self, at: usize, message: String, hint: &str) {
        if self.unserved.len() < MAX_ERRORS {
            let (line, column) = self.place(at);
            let error = PolicyError { line, column, message: short(message), hint: Some(hint.to_owned()) };
            self.unserved.push((at, error));
        }
    }

    /// Line and column, both from 1; the column counts characters.
    pub(crate) fn place(&self, at: usize) -> (u32, u32) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = self.line_starts.get(line.wrapping_sub(1)).copied().unwrap_or_default();
        (line as u32, self.text[start..at].chars().count() as u32 + 1)
    }

    /// Both kinds of mistakes, each in the order of the text.
    pub(crate) fn conclude(mut self) -> Findings {
        self.errors.sort_by_key(|(at, _)| *at);
        self.unserved.sort_by_key(|(at, _)| *at);
        Findings { mistakes: self.errors, unserved: self.unserved }
    }

    /// The elements of a list of texts, with their places.
    pub(crate) fn texts<'v>(&mut self, value: &'v Value, what: &str) -> Vec<(usize, &'v str)> {
        let Value::Array(array) = value else {
            self.say(value.start(), format!("{what} must be a list of texts"), None);
            return Vec::new();
        };
        let texts =
            array.elements.iter().filter_map(|element| Some((element.start(), self.text_of(element, what)?)));
        texts.collect()
    }

    pub(crate) fn text_of<'v>(&mut self, value: &'v Value, what: &str) -> Option<&'v str> {
        let Value::StringLit(literal) = value else {
            self.say(value.start(), format!("{what}: a text in quotes was expected"), None);
            return None;
        };
        Some(&literal.value)
    }

    /// The members of an object; a name that stands twice is a mistake. `null` is an empty object.
    pub(crate) fn members<'v, 'a>(&mut self, value: &'v Value<'a>, what: &str) -> Vec<&'v ObjectProp<'a>> {
        match value {
            Value::Object(object) => self.unique(object, Cow::Borrowed),
            Value::NullKeyword(_) => Vec::new(),
            _ => {
                self.say(value.start(), format!("{what} must be an object"), None);
                Vec::new()
            }
        }
    }

    /// The members of an object whose names are read in any letter case; one that stands twice is a mistake, one that
    /// is `null` is as good as absent.
    pub(crate) fn fields_of<'v, 'a>(&mut self, object: &'v Object<'a>) -> Vec<&'v ObjectProp<'a>> {
        let mut members = self.unique(object, |name| Cow::Owned(name.to_lowercase()));
        members.retain(|member| !matches!(member.value, Value::NullKeyword(_)));
        members
    }

    /// The members of an object whose names are fixed, under their right names; unknown names are mistakes.
    pub(crate) fn fields<'v, 'a>(
        &mut self,
        object: &'v Object<'a>,
        known: &[&'static str],
        what: &str,
    ) -> Vec<(&'static str, &'v Value<'a>)> {
        let mut fields = Vec::new();
        for member in self.fields_of(object) {
            let name = member.name.as_str();
            match known.iter().find(|right| right.eq_ignore_ascii_case(name)) {
                Some(right) => fields.push((*right, &member.value)),
                None => {
                    let hint = nearest(name, known.iter().copied());
                    self.say(member.start(), format!("{what} has no key {name:?}"), hint);
                }
            }
        }
        fields
    }

    /// A field by its name or by an older one; both of them at once are a mistake, since one would be passed over.
    pub(crate) fn renamed<'v, 'a>(
        &mut self,
        fields: &[(&'static str, &'v Value<'a>)],
        name: &str,
        older: &str,
    ) -> Option<&'v Value<'a>> {
        let field = |wanted| fields.iter().find(|(known, _)| *known == wanted).map(|(_, value)| *value);
        if let (Some(_), Some(second)) = (field(name), field(older)) {
            self.say(
                second.start(),
                format!("{older} is an older name of {name}, which stands here too"),
                None,
            );
        }
        field(name).or_else(|| field(older))
    }

    fn unique<'v, 'a>(
        &mut self,
        object: &'v Object<'a>,
        key: impl Fn(&'v str) -> Cow<'v, str>,
    ) -> Vec<&'v ObjectProp<'a>> {
        let mut seen = std::collections::BTreeSet::new();
        let mut members = Vec::new();
        for member in &object.properties {
            if seen.insert(key(member.name.as_str())) {
                members.push(member);
            } else {
                self.say(member.start(), format!("{:?} stands here twice", member.name.as_str()), None);
            }
        }
        members
    }
}

/// Parses the text into a tree; says what is wrong when there is none.
pub(crate) fn read<'t>(text: &'t str, report: &mut Report<'t>) -> Option<Value<'t>> {
    if text.len() > MAX_BYTES {
        report.say(0, format!("a policy has at most {MAX_BYTES} bytes, this one has {}", text.len()), None);
        return None;
    }
    if text.starts_with('\u{feff}') {
        report.say(
            0,
            "the text begins with a byte order mark",
            Some("save it as UTF-8 without one".to_owned()),
        );
        return None;
    }
    if let Some(at) = too_deep(text) {
        report.say(at, format!("a policy nests at most {MAX_DEPTH} levels"), None);
        return None;
    }
    match jsonc_parser::parse_to_ast(text, &CollectOptions::default(), &SYNTAX) {
        Ok(result) if result.value.is_none() => {
            report.say(0, "the policy is empty", Some("write {} to let nothing reach anything".to_owned()));
            None
        }
        Ok(result) => result.value,
        Err(error) => {
            report.say(error.range().start, format!("not HuJSON: {}", error.kind()), None);
            None
        }
    }
}

/// Where the nesting first exceeds the limit. Looks at brackets outside texts and comments.
fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0usize, 0);
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'"', _) => at = end_of_text(bytes, at + 1),
            (b'/', Some(b'/')) => {
                at += bytes[at..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - at)
            }
            (b'/', Some(b'*')) => {
                let end = bytes[at + 2..].windows(2).position(|pair| pair == b"*/");
                at = end.map_or(bytes.len(), |end| at + 3 + end);
            }
            (b'{' | b'[', _) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(at);
                }
            }
            (b'}' | b']', _) => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The place of the quote that ends a text which begins here.
fn end_of_text(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

fn short(text: String) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
