//! Encrypted comments: they stand outside of the MAC and outside of what a YAML reader tells.

use std::{collections::BTreeSet, ops::Range};

use super::value::Sealed;

/// An encrypted comment: the bytes behind `#`.
pub struct Comment {
    pub span: Range<usize>,
    pub sealed: Sealed,
}

/// Every encrypted comment of a text.
pub fn all(text: &str) -> Vec<Comment> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("#ENC[AES256_GCM,") {
        let line = text[at + 1..].split(['\n', '\r']).next().unwrap_or_default();
        if let Some(sealed) = Sealed::parse(line).filter(|s| s.kind == "comment") {
            found.push(Comment { span: at + 1..at + 1 + line.trim_end().len(), sealed });
        }
    }
    found
}

/// The additional data that opens a comment, among the ways to every container of the file.
pub fn aad<'a>(comment: &Comment, key: &[u8; 32], ways: &'a BTreeSet<String>) -> Option<&'a String> {
    ways.iter().find(|way| comment.sealed.open(key, way).is_some())
}
