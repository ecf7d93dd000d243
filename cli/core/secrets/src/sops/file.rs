//! A file that is open: its values, and the texts that it becomes.

use aws_lc_rs::digest;
use ident::Secret;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    Error,
    metadata::{self, Metadata},
    typed,
    value::Sealed,
};
use crate::{
    Fresh,
    age::Identities,
    document::{self, Document, Edit, Leaf, Place, Style, Value, splice},
};

/// SHA-256 of `sops`: what the MAC begins with when it covers encrypted values only.
const SEED: &[u8] = b"sops";

/// A file whose data key is known and whose MAC fits.
pub struct Opened<'a> {
    pub(super) document: &'a Document,
    metadata: Metadata,
    pub(super) key: Zeroizing<[u8; 32]>,
    values: Vec<Opening<'a>>,
}

/// A value, its plaintext (none for null) and whether it is encrypted.
pub struct Opening<'a> {
    pub leaf: Leaf<'a>,
    pub text: Option<Zeroizing<Vec<u8>>>,
    pub sealed: bool,
}

/// A value without its text.
pub struct Listed {
    pub place: String,
    pub sealed: bool,
    /// Who can open it.
    pub recipients: Vec<String>,
}

/// Whether any value is sealed, whatever else the document is.
pub fn has_sealed(document: &Document) -> bool {
    document.leaves().iter().any(|leaf| Sealed::is_one(&leaf.scalar.text))
}

/// What stands in a file, without opening it.
pub fn list(document: &Document) -> Result<Vec<Listed>, Error> {
    let metadata = Metadata::of(document)?;
    let outside = document.leaves().into_iter().filter(|l| !l.place.is_under("sops"));
    let recipients: Vec<_> = metadata.recipients.iter().map(|r| r.name.clone()).collect();
    let listed = |leaf: Leaf<'_>| {
        let sealed = metadata.select.takes(&leaf.place) && Sealed::is_one(&leaf.scalar.text);
        let recipients = if sealed { recipients.clone() } else { Vec::new() };
        Listed { place: leaf.place.to_string(), sealed, recipients }
    };
    Ok(outside.map(listed).collect())
}

impl<'a> Opened<'a> {
    /// Finds the data key, opens every value, compares the MAC.
    pub fn open(document: &'a Document, identities: &Identities) -> Result<Self, Error> {
        let metadata = Metadata::of(document)?;
        let key = metadata.data_key(identities)?;
        let opened = Self::with_key(document, metadata, key)?;
        let stored =
            opened.metadata.mac.open(&opened.key, &opened.metadata.last_modified).ok_or(Error::Mac)?;
        let fits = bool::from(stored.as_slice().ct_eq(opened.mac().as_bytes()));
        if fits { Ok(opened) } else { Err(Error::Mac) }
    }
    /// Every value outside of the section, in order.
    pub fn values(&self) -> &[Opening<'a>] {
        &self.values
    }
    /// One value.
    pub fn get(&self, name: &str) -> Result<Secret<Vec<u8>>, Error> {
        let place = self.document.find(name)?.place;
        let found = self.values.iter().find(|v| v.leaf.place == place);
        let found = found.ok_or_else(|| document::Error::Missing(name.to_owned()))?;
        Ok(Secret::new(found.text.as_ref().map(|t| t.to_vec()).unwrap_or_default()))
    }
    /// Whether both hold the same values.
    pub fn same_as(&self, other: &Opened<'_>) -> bool {
        let all =
            |o: &[Opening<'_>]| o.iter().map(|v| (v.leaf.place.clone(), v.text.clone())).collect::<Vec<_>>();
        all(&self.values) == all(&other.values)
    }
    /// The text with this value instead; `create` adds a key at the end.
    pub fn set(
        &self,
        name: &str,
        value: &str,
        create: bool,
        now: &str,
        fresh: Fresh<'_>,
    ) -> Result<Document, Error> {
        let (place, edit) = match self.document.find(name) {
            Ok(leaf) => (leaf.place.clone(), self.replaced(&leaf, value, fresh())?),
            Err(document::Error::Missing(_)) if create => self.added(name, value, fresh())?,
            Err(e) => return Err(e.into()),
        };
        let changed = splice(self.document, vec![edit], |p| *p == place)?;
        self.finish(&changed, self.key.clone(), now, fresh)
    }

    fn with_key(document: &'a Document, metadata: Metadata, key: Zeroizing<[u8; 32]>) -> Result<Self, Error> {
        let mut values = Vec::new();
        for leaf in document.leaves().into_iter().filter(|l| !l.place.is_under("sops")) {
            values.push(opening(leaf, &metadata, &key)?);
        }
        Ok(Self { document, metadata, key, values })
    }

    fn mac(&self) -> Zeroizing<String> {
        let mut hash = digest::Context::new(&digest::SHA512);
        if self.metadata.mac_only_encrypted {
            hash.update(digest::digest(&digest::SHA256, SEED).as_ref());
        }
        let covered =
            |v: &&Opening<'_>| !self.metadata.mac_only_encrypted || self.metadata.select.takes(&v.leaf.place);
        for value in self.values.iter().filter(covered) {
            hash.update(value.text.as_ref().map_or(&[][..], |t| t));
        }
        Zeroizing::new(hex::encode_upper(hash.finish()))
    }

    fn replaced(&self, leaf: &Leaf<'_>, value: &str, iv: [u8; 32]) -> Result<Edit, Error> {
        if leaf.place.is_under("sops") || !self.metadata.select.takes(&leaf.place) {
            return Err(Error::NotEncrypted(leaf.place.to_string()));
        }
        let sealed = seal(value, &self.key, &leaf.place, iv)?;
        let plain = leaf.scalar.style == Style::Plain && Sealed::is_one(&leaf.scalar.text);
        let text = match leaf.scalar.style {
            Style::Plain if plain && !sealed.is_empty() => sealed,
            Style::Single => format!("'{sealed}'"),
            Style::Plain | Style::Double | Style::Literal | Style::Folded => document::quoted(&sealed),
        };
        Ok(Edit { span: leaf.node.span.clone(), text: Zeroizing::new(text) })
    }

    fn added(&self, name: &str, value: &str, iv: [u8; 32]) -> Result<(Place, Edit), Error> {
        let place = Place::root(0).key(name);
        if !self.metadata.select.takes(&place) {
            return Err(Error::NotEncrypted(name.to_owned()));
        }
        let at = key_start(self.document, "sops").ok_or(document::Error::Layout { line: 1 })?;
        let key = document::scalar(name, &fresh_line(self.document));
        let sealed = document::quoted(&seal(value, &self.key, &place, iv)?);
        let text = format!("{key}: {sealed}{}", self.document.line_end());
        Ok((place, Edit { span: at..at, text: Zeroizing::new(text) }))
    }

    /// Computes the MAC of a changed text, writes it and reads everything once more.
    pub(super) fn finish(
        &self,
        changed: &Document,
        key: Zeroizing<[u8; 32]>,
        now: &str,
        fresh: Fresh<'_>,
    ) -> Result<Document, Error> {
        let middle = Opened::with_key(changed, Metadata::of(changed)?, key.clone())?;
        let mac =
            Sealed::seal(middle.mac().as_bytes(), "str", &key, now, fresh()).ok_or(Error::Mac)?.format();
        let moments = metadata::member(changed, "lastmodified");
        let mut edits: Vec<_> = moments.iter().map(|leaf| rewritten(leaf, now)).collect();
        edits.extend(metadata::member(changed, "mac").iter().map(|leaf| rewritten(leaf, &mac)));
        let after = splice(changed, edits, |p| p.is_under("sops"))?;
        let last = Opened::with_key(&after, Metadata::of(&after)?, key)?;
        let stored = last.metadata.mac.open(&last.key, now).ok_or(Error::Mac)?;
        if stored.as_slice() != last.mac().as_bytes() {
            return Err(Error::Mac);
        }
        Ok(after)
    }
}

fn opening<'a>(leaf: Leaf<'a>, metadata: &Metadata, key: &[u8; 32]) -> Result<Opening<'a>, Error> {
    let text = leaf.scalar.text.as_str();
    if !metadata.select.takes(&leaf.place) {
        let plain = typed::plain(leaf.scalar).map_err(|()| Error::Type(leaf.place.to_string()))?;
        let text = plain.map(|t| Zeroizing::new(t.into_bytes()));
        return Ok(Opening { leaf, text, sealed: false });
    }
    if !Sealed::is_one(text) {
        return match typed::plain(leaf.scalar) {
            Ok(None) => Ok(Opening { leaf, text: None, sealed: false }),
            Ok(Some(t)) if t.is_empty() => {
                Ok(Opening { leaf, text: Some(Zeroizing::new(Vec::new())), sealed: false })
            }
            _ => Err(Error::Naked(leaf.place.to_string())),
        };
    }
    let sealed = Sealed::parse(text).ok_or_else(|| Error::Value(leaf.place.to_string()))?;
    let plain = sealed.open(key, &aad(&leaf.place)).ok_or_else(|| Error::Value(leaf.place.to_string()))?;
    let plain = Zeroizing::new(typed::opened(&sealed.kind, &plain));
    Ok(Opening { leaf, text: Some(plain), sealed: true })
}

fn seal(value: &str, key: &[u8; 32], place: &Place, iv: [u8; 32]) -> Result<String, Error> {
    if value.is_empty() {
        return Ok(String::new());
    }
    let sealed = Sealed::seal(value.as_bytes(), "str", key, &aad(place), iv);
    sealed.map(|s| s.format()).ok_or_else(|| Error::Value(place.to_string()))
}

/// The keys on the way with a colon behind each.
pub(super) fn aad(place: &Place) -> String {
    place.keys().collect::<Vec<_>>().join(":") + ":"
}

/// Another text in the quotes of the old one.
pub(super) fn rewritten(leaf: &Leaf<'_>, text: &str) -> Edit {
    let text = match leaf.scalar.style {
        Style::Plain => text.to_owned(),
        Style::Single => format!("'{text}'"),
        Style::Double | Style::Literal | Style::Folded => document::quoted(text),
    };
    Edit {
        span: leaf.scalar.content.start.min(leaf.node.span.start)..leaf.node.span.end,
        text: Zeroizing::new(text),
    }
}

/// Where the line of a top-level key begins, when it stands at the left edge.
fn key_start(document: &Document, name: &str) -> Option<usize> {
    let Value::Mapping(pairs) = &document.roots().first()?.value else { return None };
    let at = pairs.iter().find(|(k, _)| k.text() == Some(name))?.0.span.start;
    let text = &document.text()[..at];
    (text.is_empty() || text.ends_with('\n')).then_some(at)
}

fn fresh_line(document: &Document) -> document::EmitContext<'static> {
    document::EmitContext { old: None, indent: 0, line_end: document.line_end() }
}
