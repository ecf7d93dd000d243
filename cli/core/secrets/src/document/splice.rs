//! Replaces the bytes of some values and proves that every other value stayed what it was.

use std::ops::Range;

use zeroize::Zeroizing;

use super::{Document, EmitContext, Error, Node, Place, Value, emit::scalar};

/// New bytes for a part of the text.
pub struct Edit {
    pub span: Range<usize>,
    pub text: Zeroizing<String>,
}

/// The text with these edits, read again: outside of the places that `may_change`, no value, tag or key differs.
pub fn splice(
    document: &Document,
    mut edits: Vec<Edit>,
    may_change: impl Fn(&Place) -> bool,
) -> Result<Document, Error> {
    edits.sort_by_key(|e| e.span.start);
    let mut text = Zeroizing::new(String::with_capacity(document.text.len() + 4096));
    let mut at = 0;
    for edit in &edits {
        let kept = document.text.get(at..edit.span.start).ok_or_else(|| spill("edits overlap"))?;
        text.push_str(kept);
        text.push_str(&edit.text);
        at = edit.span.end;
    }
    text.push_str(document.text.get(at..).unwrap_or_default());
    let after = Document::parse(text.as_bytes())?;
    same_elsewhere(document, &after, may_change)?;
    Ok(after)
}

/// A new top-level key with this YAML behind it, at the end of the text.
pub fn appended(document: &Document, key: &str, value: &str) -> Result<(Place, Edit), Error> {
    let layout = Error::Layout { line: 1 };
    let [root] = document.roots() else { return Err(layout) };
    let Value::Mapping(pairs) = &root.value else { return Err(layout) };
    let text = document.text();
    let at_edge = |n: &Node| n.span.start == 0 || text[..n.span.start].ends_with(['\n', '\u{feff}']);
    if !pairs.first().is_some_and(|(k, _)| at_edge(k)) {
        return Err(layout);
    }
    let line_end = document.line_end();
    let before = if text.ends_with('\n') { "" } else { line_end };
    let name = scalar(key, &EmitContext { old: None, indent: 0, line_end });
    let added = Zeroizing::new(format!("{before}{name}: {value}{line_end}"));
    Ok((Place::root(0).key(key), Edit { span: text.len()..text.len(), text: added }))
}

fn same_elsewhere(
    before: &Document,
    after: &Document,
    may_change: impl Fn(&Place) -> bool,
) -> Result<(), Error> {
    let fixed = |document: &'_ Document| {
        let leaves = document.leaves();
        let kept: Vec<_> = leaves.into_iter().filter(|leaf| !may_change(&leaf.place)).collect();
        kept.into_iter()
            .map(|leaf| (leaf.place, leaf.scalar.text.clone(), leaf.scalar.tag.clone()))
            .collect::<Vec<_>>()
    };
    let (before, after) = (fixed(before), fixed(after));
    if before.len() != after.len() {
        return Err(spill("values came or went"));
    }
    match before.iter().zip(&after).find(|(b, a)| b != a) {
        Some((leaf, _)) => Err(spill(&leaf.0.to_string())),
        None => Ok(()),
    }
}

fn spill(what: &str) -> Error {
    Error::Spill(what.to_owned())
}
