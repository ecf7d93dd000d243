//! A YAML text with the place of every value in it, so that one value can be changed and nothing else.

mod emit;
mod place;
mod scan;
mod span;
mod splice;

use std::ops::Range;

use zeroize::Zeroizing;

pub use emit::{Context as EmitContext, block, quoted, scalar};
pub use place::{Place, Step};
pub use splice::{Edit, appended, splice};

/// The longest text that is read.
pub const LONGEST: usize = 8 << 20;
/// The deepest nesting that is read.
pub const DEEPEST: usize = 64;

/// Why a text cannot be worked with. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("it is longer than {LONGEST} bytes")]
    TooLarge,
    #[error("it is not UTF-8 text")]
    NotText,
    #[error("line {line}, column {column}: {what}")]
    Syntax { line: usize, column: usize, what: String },
    #[error("line {line}: `{key}` stands there twice")]
    Duplicate { line: usize, key: String },
    #[error("line {line}: anchors and aliases are not edited")]
    Anchor { line: usize },
    #[error("line {line}: nested deeper than {DEEPEST} levels")]
    TooDeep { line: usize },
    #[error("line {line}: a key that is no plain text")]
    Key { line: usize },
    #[error("line {line}: this way of writing a value is not edited")]
    Layout { line: usize },
    #[error("`{0}` is not there")]
    Missing(String),
    #[error("`{0}` is no single value")]
    NotScalar(String),
    #[error("`{0}` stands in several documents of the file")]
    Ambiguous(String),
    #[error("`{0}` is no place: write it as a.b[0].c")]
    Place(String),
    #[error("the edit would have changed something else: {0}")]
    Spill(String),
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Single,
    Double,
    Literal,
    Folded,
}

/// One value with its place in the text.
pub struct Node {
    pub value: Value,
    /// Bytes of the text: tag, header and content; no line end behind it.
    pub span: Range<usize>,
    /// From 1.
    pub line: usize,
}

/// What a node is.
pub enum Value {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

/// A single value.
pub struct Scalar {
    pub text: Zeroizing<String>,
    pub style: Style,
    /// As it is resolved: `!vault`, `tag:yaml.org,2002:str`.
    pub tag: Option<String>,
    /// The bytes behind tag and block header: quotes included, for a block from its first line on.
    pub content: Range<usize>,
}

/// A text and what stands in it: one root per YAML document.
pub struct Document {
    text: Zeroizing<String>,
    roots: Vec<Node>,
}

/// A single value and the way to it.
pub struct Leaf<'a> {
    pub place: Place,
    pub node: &'a Node,
    pub scalar: &'a Scalar,
}

impl Document {
    /// Reads a text; a byte order mark stays part of it.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > LONGEST {
            return Err(Error::TooLarge);
        }
        let text = Zeroizing::new(std::str::from_utf8(bytes).map_err(|_| Error::NotText)?.to_owned());
        let roots = scan::scan(&text)?;
        Ok(Self { text, roots })
    }
    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// One root per YAML document.
    pub fn roots(&self) -> &[Node] {
        &self.roots
    }
    /// `\r\n` when the first line ends so.
    pub fn line_end(&self) -> &'static str {
        match self.text.find('\n') {
            Some(at) if self.text[..at].ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }
    /// Every single value in the order of the text.
    pub fn leaves(&self) -> Vec<Leaf<'_>> {
        let mut found = Vec::new();
        for (document, root) in self.roots.iter().enumerate() {
            root.collect(Place::root(document), &mut found);
        }
        found
    }
    /// The value that people name so: a top-level key, or a path like `a.b[0]`.
    pub fn find(&self, name: &str) -> Result<Leaf<'_>, Error> {
        let mut found = Vec::new();
        for (document, root) in self.roots.iter().enumerate() {
            let top = Place::root(document).key(name);
            let place = if root.at(&top.steps).is_some() { top } else { Place::parse(document, name)? };
            found.extend(root.at(&place.steps).map(|node| (place, node)));
        }
        if found.len() > 1 {
            return Err(Error::Ambiguous(name.to_owned()));
        }
        let (place, node) = found.pop().ok_or_else(|| Error::Missing(name.to_owned()))?;
        let Value::Scalar(scalar) = &node.value else { return Err(Error::NotScalar(name.to_owned())) };
        Ok(Leaf { place, node, scalar })
    }
}

impl Node {
    /// The node at the end of these steps.
    pub fn at(&self, steps: &[Step]) -> Option<&Node> {
        let Some((first, rest)) = steps.split_first() else { return Some(self) };
        let next = match (&self.value, first) {
            (Value::Mapping(pairs), Step::Key(key)) => {
                pairs.iter().find(|(k, _)| k.text() == Some(key)).map(|(_, v)| v)
            }
            (Value::Sequence(items), Step::Index(n)) => items.get(*n),
            _ => None,
        };
        next?.at(rest)
    }
    /// The member of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.at(&[Step::Key(key.to_owned())])
    }
    /// The text of a single value.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }
    fn collect<'a>(&'a self, place: Place, found: &mut Vec<Leaf<'a>>) {
        match &self.value {
            Value::Scalar(scalar) => found.push(Leaf { place, node: self, scalar }),
            Value::Sequence(items) => {
                items.iter().enumerate().for_each(|(n, item)| item.collect(place.index(n), found));
            }
            Value::Mapping(pairs) => pairs.iter().for_each(|(key, value)| {
                value.collect(place.key(key.text().unwrap_or_default()), found);
            }),
        }
    }
}
