//! Files that are encrypted whole: a vaulted file, an age file. Inside is one secret or a YAML text.

use ident::Secret;
use zeroize::Zeroizing;

use super::{Entry, Error, Keys, Rekey, Sealing, secret, text};
use crate::{
    Fresh,
    age::{self, Identities},
    document::{self, Document, Edit, EmitContext, Value, splice},
    vault::{self, Envelope, Keyring, Password},
};

/// The content of a file.
pub fn open(bytes: &[u8], keys: &Keys) -> Result<Zeroizing<Vec<u8>>, Error> {
    if age::is_one(bytes) {
        return Ok(age::open(bytes, &keys.age)?);
    }
    Ok(keys.vault.open(&envelope(bytes)?)?.0)
}

/// The values inside when the keys are there, otherwise the file as one entry.
pub fn list(bytes: &[u8], keys: Option<&Keys>) -> Result<Vec<Entry>, Error> {
    let label = if age::is_one(bytes) { None } else { Some(label(&envelope(bytes)?)) };
    let entry = |var| Entry { var, encrypted: true, keys: label.iter().cloned().collect() };
    let Some(keys) = keys else { return Ok(vec![entry(None)]) };
    let inside = open(bytes, keys)?;
    match Document::parse(&inside) {
        Ok(document) if is_mapping(&document) => {
            Ok(document.leaves().iter().map(|leaf| entry(Some(leaf.place.to_string()))).collect())
        }
        Ok(_) | Err(_) => Ok(vec![entry(None)]),
    }
}

/// One value inside, or the whole content.
pub fn get(bytes: &[u8], var: Option<&str>, keys: &Keys) -> Result<Secret<Vec<u8>>, Error> {
    let inside = open(bytes, keys)?;
    let Some(var) = var else { return Ok(secret(&inside)) };
    let document = Document::parse(&inside)?;
    Ok(Secret::new(document.find(var)?.scalar.text.as_bytes().to_vec()))
}

/// The file with another value inside, under the key that it had.
pub fn set(
    bytes: &[u8],
    var: Option<&str>,
    value: &Secret<Vec<u8>>,
    keys: &Keys,
    sealing: &Sealing<'_>,
    fresh: Fresh<'_>,
) -> Result<Vec<u8>, Error> {
    let old = open(bytes, keys)?;
    let inside = match var {
        None => Zeroizing::new(value.expose().clone()),
        Some(var) => Zeroizing::new(replaced(&old, var, text(value)?, sealing.create)?),
    };
    if age::is_one(bytes) {
        return Ok(sealing.recipients.reseal(bytes, &inside)?);
    }
    let envelope = envelope(bytes)?;
    let (label, password) = match sealing.label {
        Some(label) => (label.to_owned(), keys.vault.sealing(Some(label))?),
        None => (label(&envelope), keys.vault.open(&envelope)?.1),
    };
    let sealed = vault::seal(&inside, password.secret.expose(), &label, fresh())?;
    Ok(formatted(bytes, &sealed))
}

/// The file under another key.
pub fn rekey(bytes: &[u8], keys: &Keys, to: &Rekey<'_>, fresh: Fresh<'_>) -> Result<Vec<u8>, Error> {
    let inside = open(bytes, keys)?;
    let (new, again) = if age::is_one(bytes) {
        let new = to.recipients.seal(&inside, age::is_armored(bytes))?;
        let again = age::open(&new, own(to).as_ref().unwrap_or(&keys.age))?;
        (new, again)
    } else {
        let password = to.vault.ok_or(Error::NoNewKey)?;
        let sealed = vault::seal(&inside, password.secret.expose(), &password.label, fresh())?;
        let new = formatted(bytes, &sealed);
        let again = reopened(&new, password)?;
        (new, again)
    };
    if again == inside { Ok(new) } else { Err(Error::ReadBack) }
}

/// The identity of a new passphrase, when there is one.
fn own(to: &Rekey<'_>) -> Option<Identities> {
    let passphrase = to.recipients.passphrase()?;
    let mut own = Identities::default();
    own.set_passphrase(passphrase);
    Some(own)
}

fn reopened(bytes: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, Error> {
    let keyring = Keyring::new(vec![password.clone()], false);
    Ok(keyring.open(&envelope(bytes)?)?.0)
}

fn envelope(bytes: &[u8]) -> Result<Envelope, Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| vault::Error::NotHex)?;
    Ok(Envelope::parse(text)?)
}

fn label(envelope: &Envelope) -> String {
    envelope.label.clone().unwrap_or_else(|| "default".to_owned())
}

/// In the line ends of the old file.
fn formatted(old: &[u8], envelope: &Envelope) -> Vec<u8> {
    let text = envelope.format();
    let crlf = old.windows(2).any(|w| w == b"\r\n");
    if crlf { text.replace('\n', "\r\n").into_bytes() } else { text.into_bytes() }
}

fn is_mapping(document: &Document) -> bool {
    document.roots().iter().all(|r| matches!(r.value, Value::Mapping(_))) && !document.roots().is_empty()
}

/// A YAML text with another value; a new one stands at the end.
fn replaced(inside: &[u8], var: &str, value: &str, create: bool) -> Result<Vec<u8>, Error> {
    let document = Document::parse(inside)?;
    let line_end = document.line_end();
    let (place, edit) = match document.find(var) {
        Ok(leaf) => {
            let content = &document.text()[leaf.scalar.content.clone()];
            let first = content.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
            let indent = first.len() - first.trim_start_matches(' ').len();
            let context = EmitContext { old: Some(leaf.scalar), indent, line_end };
            let text = Zeroizing::new(document::scalar(value, &context));
            (leaf.place.clone(), Edit { span: leaf.node.span.clone(), text })
        }
        Err(document::Error::Missing(_)) if create => {
            let context = EmitContext { old: None, indent: 2, line_end };
            document::appended(&document, var, &document::scalar(value, &context))?
        }
        Err(e) => return Err(e.into()),
    };
    let after = splice(&document, vec![edit], |p| *p == place)?;
    if after.find(var)?.scalar.text.as_str() != value {
        return Err(Error::ReadBack);
    }
    Ok(after.text().as_bytes().to_vec())
}
