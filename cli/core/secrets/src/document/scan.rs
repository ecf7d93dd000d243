//! From a text to nodes: what cannot be edited safely is refused here.

use std::collections::BTreeSet;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};
use zeroize::Zeroizing;

use super::{DEEPEST, Error, Node, Scalar, Style, Value, span::Spans};

/// One root per document of the text.
pub fn scan(text: &str) -> Result<Vec<Node>, Error> {
    let mut scan = Scan { spans: Spans::of(text), open: Vec::new(), roots: Vec::new(), behind: 0 };
    for step in Parser::new_from_str(text) {
        let (event, span) = step.map_err(|e| syntax(&e))?;
        let (start, end) = (span.start.index(), span.end.index());
        scan.take(event, start, end, span.start.line())?;
    }
    Ok(scan.roots)
}

/// A collection that is not closed yet.
struct Open {
    start: usize,
    line: usize,
    items: Items,
}

/// `key` is the key that waits for its value.
enum Items {
    Sequence(Vec<Node>),
    Mapping { pairs: Vec<(Node, Node)>, names: BTreeSet<String>, key: Option<Node> },
}

struct Scan<'a> {
    spans: Spans<'a>,
    open: Vec<Open>,
    roots: Vec<Node>,
    /// Behind the last value or opening bracket: the next value begins from here on.
    behind: usize,
}

impl Scan<'_> {
    fn take(&mut self, event: Event<'_>, start: usize, end: usize, line: usize) -> Result<(), Error> {
        let (start, end) = (self.spans.byte(start), self.spans.byte(end));
        match event {
            Event::Alias(_) => Err(Error::Anchor { line }),
            Event::Scalar(_, _, 1.., _) | Event::SequenceStart(1.., _) | Event::MappingStart(1.., _) => {
                Err(Error::Anchor { line })
            }
            Event::Scalar(text, style, _, tag) => {
                let style = known(style);
                let place = self.spans.scalar(self.behind, start, end, style, tag.is_some());
                let (span, content) = place.ok_or(Error::Layout { line })?;
                self.behind = span.end;
                let tag = tag.map(|t| resolved(&t));
                let scalar = Scalar { text: Zeroizing::new(text.into_owned()), style, tag, content };
                self.close(Node { value: Value::Scalar(scalar), span, line })
            }
            Event::SequenceStart(..) => self.open(start, end, line, Items::Sequence(Vec::new())),
            Event::MappingStart(..) => {
                let items = Items::Mapping { pairs: Vec::new(), names: BTreeSet::new(), key: None };
                self.open(start, end, line, items)
            }
            Event::SequenceEnd | Event::MappingEnd => self.shut(end),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {
                self.behind = self.behind.max(end);
                Ok(())
            }
        }
    }

    fn open(&mut self, start: usize, end: usize, line: usize, items: Items) -> Result<(), Error> {
        if self.open.len() >= DEEPEST {
            return Err(Error::TooDeep { line });
        }
        let flow = self.spans.opens_flow(start, end);
        self.behind = self.behind.max(if flow { end } else { start });
        self.open.push(Open { start, line, items });
        Ok(())
    }

    fn shut(&mut self, end: usize) -> Result<(), Error> {
        let Some(Open { start, line, items }) = self.open.pop() else { return Ok(()) };
        let (value, last) = match items {
            Items::Sequence(items) => {
                let last = items.last().map(|n| n.span.end);
                (Value::Sequence(items), last)
            }
            Items::Mapping { pairs, .. } => {
                let last = pairs.last().map(|(_, n)| n.span.end);
                (Value::Mapping(pairs), last)
            }
        };
        let end = if self.spans.closes_flow(end) { end } else { last.unwrap_or(start) };
        self.behind = self.behind.max(end);
        self.close(Node { value, span: start..end.max(start), line })
    }

    fn close(&mut self, node: Node) -> Result<(), Error> {
        let Some(parent) = self.open.last_mut() else {
            self.roots.push(node);
            return Ok(());
        };
        match &mut parent.items {
            Items::Sequence(items) => items.push(node),
            Items::Mapping { pairs, names, key } => match key.take() {
                Some(name) => pairs.push((name, node)),
                None => *key = Some(admitted(names, node)?),
            },
        }
        Ok(())
    }
}

/// A key that is a text and new in its mapping.
fn admitted(names: &mut BTreeSet<String>, node: Node) -> Result<Node, Error> {
    let line = node.line;
    let Some(name) = node.text() else { return Err(Error::Key { line }) };
    if name == "<<" {
        return Err(Error::Anchor { line });
    }
    if !names.insert(name.to_owned()) {
        return Err(Error::Duplicate { line, key: name.to_owned() });
    }
    Ok(node)
}

fn known(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::Single,
        ScalarStyle::DoubleQuoted => Style::Double,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

fn resolved(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

fn syntax(e: &ScanError) -> Error {
    let at = e.marker();
    Error::Syntax { line: at.line(), column: at.col() + 1, what: e.info().to_owned() }
}
