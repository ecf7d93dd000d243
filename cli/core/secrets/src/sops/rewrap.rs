//! A file under a new data key: every value and comment encrypted again, one part for each new recipient.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::{
    Error, Opened, comments,
    file::{aad, rewritten},
    metadata,
    value::Sealed,
};
use crate::{
    Fresh,
    age::{self, Recipients},
    document::{self, Document, Edit, Node, Place, Value, splice},
};

/// New recipients and the moment of the change (RFC 3339, UTC, whole seconds).
pub struct Rewrap<'a> {
    pub recipients: &'a Recipients,
    pub now: &'a str,
}

impl Opened<'_> {
    /// The text under a new data key for these recipients.
    pub fn rewrap(&self, to: &Rewrap<'_>, fresh: Fresh<'_>) -> Result<Document, Error> {
        let others = ["kms", "gcp_kms", "azure_kv", "hc_vault", "hckms", "pgp"];
        let section = metadata::section(self.document).ok_or(Error::Metadata("`sops` is missing"))?;
        let full = |n: &Node| matches!(&n.value, Value::Sequence(s) if !s.is_empty());
        if others.iter().any(|k| section.get(k).is_some_and(full)) {
            return Err(Error::Unsupported("a new data key for recipients other than age"));
        }
        let key = Zeroizing::new(fresh());
        let mut edits = self.resealed(&key, fresh)?;
        edits.extend(self.recommented(&key, fresh)?);
        edits.extend(self.readdressed(to.recipients, &key)?);
        let places: BTreeSet<Place> =
            self.values().iter().filter(|v| v.sealed).map(|v| v.leaf.place.clone()).collect();
        let changed = splice(self.document, edits, |p| p.is_under("sops") || places.contains(p))?;
        self.finish(&changed, key, to.now, fresh)
    }

    fn resealed(&self, key: &[u8; 32], fresh: Fresh<'_>) -> Result<Vec<Edit>, Error> {
        let mut edits = Vec::new();
        for value in self.values().iter().filter(|v| v.sealed) {
            let wrong = || Error::Value(value.leaf.place.to_string());
            let old = Sealed::parse(&value.leaf.scalar.text).ok_or_else(wrong)?;
            let text = old.open(&self.key, &aad(&value.leaf.place)).ok_or_else(wrong)?;
            let new =
                Sealed::seal(&text, &old.kind, key, &aad(&value.leaf.place), fresh()).ok_or_else(wrong)?;
            edits.push(rewritten(&value.leaf, &new.format()));
        }
        Ok(edits)
    }

    fn recommented(&self, key: &[u8; 32], fresh: Fresh<'_>) -> Result<Vec<Edit>, Error> {
        let mut ways = BTreeSet::from([":".to_owned()]);
        for value in self.values() {
            let keys: Vec<_> = value.leaf.place.keys().collect();
            ways.extend((1..=keys.len()).map(|n| keys[..n].join(":") + ":"));
        }
        let mut edits = Vec::new();
        for comment in comments::all(self.document.text()) {
            let wrong = || Error::Value("an encrypted comment".to_owned());
            let way = comments::aad(&comment, &self.key, &ways).ok_or_else(wrong)?;
            let text = comment.sealed.open(&self.key, way).ok_or_else(wrong)?;
            let new = Sealed::seal(&text, "comment", key, way, fresh()).ok_or_else(wrong)?;
            edits.push(Edit { span: comment.span, text: Zeroizing::new(new.format()) });
        }
        Ok(edits)
    }

    /// The list of recipients, written anew at its old indent.
    fn readdressed(&self, recipients: &Recipients, key: &[u8; 32]) -> Result<Vec<Edit>, Error> {
        let parts: Vec<_> = recipients
            .names()
            .map(|name| recipients.seal_for(name, key).map(|enc| (name.to_owned(), enc)))
            .collect::<Result<_, _>>()
            .map_err(Error::DataKey)?;
        if parts.is_empty() {
            return Err(Error::DataKey(age::Error::NoRecipient));
        }
        let lists = self.document.roots().iter().filter_map(|root| root.get("sops")?.get("age"));
        lists.map(|list| addressed(self.document, list, &parts)).collect()
    }
}

fn addressed(document: &Document, list: &Node, parts: &[(String, String)]) -> Result<Edit, Error> {
    let layout = || Error::Document(document::Error::Layout { line: list.line });
    let Value::Sequence(items) = &list.value else { return Err(layout()) };
    let start = items.first().ok_or_else(layout)?.span.start;
    let end = items.last().ok_or_else(layout)?.span.end;
    let text = document.text();
    let prefix = &text[text[..start].rfind('\n').map_or(0, |n| n + 1)..start];
    if prefix.trim() != "-" {
        return Err(layout());
    }
    let line_end = document.line_end();
    let blanks = " ".repeat(prefix.len());
    let context = document::EmitContext { old: None, indent: prefix.len() + 4, line_end };
    let entries = parts.iter().map(|(name, enc)| {
        let block = document::block("|", enc, &context);
        format!("recipient: {}{line_end}{blanks}enc: {block}", document::scalar(name, &context))
    });
    let text = entries.collect::<Vec<_>>().join(&format!("{line_end}{prefix}"));
    Ok(Edit { span: start..end, text: Zeroizing::new(text) })
}
