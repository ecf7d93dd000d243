//! `!vault` values inside a YAML text that is not encrypted itself.

use zeroize::Zeroizing;

use super::{Envelope, Error, Keyring, Password};
use crate::document::{self, Document, EmitContext, Leaf, Style};

/// A vaulted value in its place.
pub struct Inline<'a> {
    pub leaf: Leaf<'a>,
    pub envelope: Envelope,
}

impl<'a> Inline<'a> {
    /// Whether a value is one.
    pub fn is_one(leaf: &Leaf<'_>) -> bool {
        matches!(leaf.scalar.tag.as_deref(), Some("!vault" | "!vault-encrypted"))
    }
    /// Every vaulted value of a text; the place of the first that cannot be read, when one cannot.
    pub fn all(document: &'a Document) -> Result<Vec<Self>, (String, Error)> {
        let vaulted = document.leaves().into_iter().filter(Inline::is_one);
        vaulted.map(Self::of).collect()
    }
    /// One value.
    pub fn of(leaf: Leaf<'a>) -> Result<Self, (String, Error)> {
        match Envelope::parse(&leaf.scalar.text) {
            Ok(envelope) => Ok(Self { leaf, envelope }),
            Err(e) => Err((leaf.place.to_string(), e)),
        }
    }
    /// Opens all of them. One that does not open beside others that do was changed.
    #[allow(clippy::type_complexity, reason = "a value, its plaintext and the password that gave it")]
    pub fn open_all(
        all: Vec<Self>,
        keyring: &Keyring,
    ) -> Result<Vec<(Self, Zeroizing<Vec<u8>>, &Password)>, (String, Error)> {
        let mut open = Vec::new();
        let mut shut = None;
        for value in all {
            match keyring.open(&value.envelope) {
                Ok((text, password)) => open.push((value, text, password)),
                Err(e) if shut.is_none() => {
                    shut = Some((value.leaf.place.to_string(), e, value.envelope.label))
                }
                Err(_) => {}
            }
        }
        let Some((place, e, label)) = shut else { return Ok(open) };
        let neighbour = open.iter().any(|(other, ..)| other.envelope.label == label);
        match e {
            Error::WrongPassword { .. } if neighbour => Err((place, Error::Tampered)),
            e => Err((place, e)),
        }
    }
}

/// The YAML of a vaulted value: where a block stands, its header and indent stay.
pub fn written(document: &Document, leaf: Option<&Leaf<'_>>, envelope: &Envelope) -> String {
    let text = envelope.format();
    let line_end = document.line_end();
    let Some(leaf) = leaf else {
        return document::block("!vault |", &text, &EmitContext { old: None, indent: 10, line_end });
    };
    let whole = &document.text()[leaf.node.span.clone()];
    if leaf.scalar.style != Style::Literal || !Inline::is_one(leaf) {
        return format!("!vault {}", document::quoted(&text));
    }
    let content = &document.text()[leaf.scalar.content.clone()];
    let first = content.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let indent = first.len() - first.trim_start_matches(' ').len();
    let header = &whole[..whole.len() - content.len()];
    document::block(
        header.trim_end_matches(['\n', '\r']),
        &text,
        &EmitContext { old: None, indent, line_end },
    )
}
