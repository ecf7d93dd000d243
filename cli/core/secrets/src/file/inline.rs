//! YAML files in which single values are vaulted.

use ident::Secret;
use zeroize::Zeroizing;

use super::{Entry, Error, Keys, Rekey, Sealing, secret};
use crate::{
    Fresh,
    document::{self, Document, Edit, splice},
    vault::{self, Envelope, Inline, Keyring, Password},
};

type Open<'a, 'k> = (Inline<'a>, Zeroizing<Vec<u8>>, &'k Password);

/// Every value, vaulted or not.
pub fn list(document: &Document) -> Vec<Entry> {
    let entry = |leaf: document::Leaf<'_>| {
        let encrypted = Inline::is_one(&leaf);
        let envelope = Envelope::parse(&leaf.scalar.text).ok().filter(|_| encrypted);
        let label = envelope.map(|e| e.label.unwrap_or_else(|| "default".to_owned()));
        Entry { var: Some(leaf.place.to_string()), encrypted, keys: label.into_iter().collect() }
    };
    document.leaves().into_iter().map(entry).collect()
}

/// Every vaulted value, opened.
pub fn open<'a, 'k>(document: &'a Document, keyring: &'k Keyring) -> Result<Vec<Open<'a, 'k>>, Error> {
    let all = Inline::all(document).map_err(|(place, e)| Error::Value(place, e))?;
    Inline::open_all(all, keyring).map_err(|(place, e)| Error::Value(place, e))
}

/// One value; one that is not vaulted is told as it stands.
pub fn get(document: &Document, var: &str, keyring: &Keyring) -> Result<Secret<Vec<u8>>, Error> {
    let leaf = document.find(var)?;
    if !Inline::is_one(&leaf) {
        return Ok(Secret::new(leaf.scalar.text.as_bytes().to_vec()));
    }
    let place = leaf.place.to_string();
    let value = Inline::of(leaf).map_err(|(place, e)| Error::Value(place, e))?;
    match keyring.open(&value.envelope) {
        Ok((text, _)) => Ok(secret(&text)),
        Err(e @ vault::Error::WrongPassword { .. }) => {
            Err(Error::Value(place, told_apart(document, keyring, &value, e)))
        }
        Err(e) => Err(Error::Value(place, e)),
    }
}

/// A value that does not open beside others of its label that do was changed.
fn told_apart(document: &Document, keyring: &Keyring, value: &Inline<'_>, e: vault::Error) -> vault::Error {
    let Ok(all) = Inline::all(document) else { return e };
    let same = |other: &&Inline<'_>| other.envelope.label == value.envelope.label;
    let opens = all.iter().filter(same).any(|other| keyring.open(&other.envelope).is_ok());
    if opens { vault::Error::Tampered } else { e }
}

/// The text with another value: vaulted with the password that it had, or with the one that is named.
pub fn set(
    document: &Document,
    var: &str,
    value: &Secret<Vec<u8>>,
    keys: &Keys,
    sealing: &Sealing<'_>,
    fresh: Fresh<'_>,
) -> Result<Vec<u8>, Error> {
    let (place, edit) = match document.find(var) {
        Ok(leaf) => {
            let (label, password) = sealed_with(document, var, &keys.vault, sealing)?;
            let envelope = vault::seal(value.expose(), password.secret.expose(), &label, fresh())?;
            let text = Zeroizing::new(vault::written(document, Some(&leaf), &envelope));
            (leaf.place.clone(), Edit { span: leaf.node.span.clone(), text })
        }
        Err(document::Error::Missing(_)) if sealing.create => {
            let password = keys.vault.sealing(sealing.label)?;
            let envelope = vault::seal(value.expose(), password.secret.expose(), &password.label, fresh())?;
            document::appended(document, var, &vault::written(document, None, &envelope))?
        }
        Err(e) => return Err(e.into()),
    };
    let after = splice(document, vec![edit], |p| *p == place)?;
    Ok(after.text().as_bytes().to_vec())
}

fn sealed_with<'k>(
    document: &Document,
    var: &str,
    keyring: &'k Keyring,
    sealing: &Sealing<'_>,
) -> Result<(String, &'k Password), Error> {
    let leaf = document.find(var)?;
    if sealing.label.is_some() || !Inline::is_one(&leaf) {
        let password = keyring.sealing(sealing.label)?;
        return Ok((password.label.clone(), password));
    }
    let value = Inline::of(leaf).map_err(|(place, e)| Error::Value(place, e))?;
    let (_, password) = keyring.open(&value.envelope)?;
    Ok((value.envelope.label.unwrap_or_else(|| "default".to_owned()), password))
}

/// The text with every vaulted value under another password; nothing changes when one of them does not open.
pub fn rekey(document: &Document, keys: &Keys, to: &Rekey<'_>, fresh: Fresh<'_>) -> Result<Vec<u8>, Error> {
    let new = to.vault.ok_or(Error::NoNewKey)?;
    let mut all = Inline::all(document).map_err(|(place, e)| Error::Value(place, e))?;
    let label = |e: &Envelope| e.label.clone().unwrap_or_else(|| "default".to_owned());
    all.retain(|value| to.only_label.is_none_or(|only| only == label(&value.envelope)));
    if all.is_empty() {
        return Err(Error::Format("no vaulted value is in it"));
    }
    let open = Inline::open_all(all, &keys.vault).map_err(|(place, e)| Error::Value(place, e))?;
    let mut edits = Vec::new();
    for (value, text, _) in &open {
        let envelope = vault::seal(text, new.secret.expose(), &new.label, fresh())?;
        let text = Zeroizing::new(vault::written(document, Some(&value.leaf), &envelope));
        edits.push(Edit { span: value.leaf.node.span.clone(), text });
    }
    let changed = |p: &document::Place| open.iter().any(|(v, ..)| v.leaf.place == *p);
    let after = splice(document, edits, changed)?;
    let keyring = Keyring::new(vec![new.clone()], false);
    for (value, text, _) in &open {
        let again = get(&after, &value.leaf.place.to_string(), &keyring)?;
        if again.expose() != &**text {
            return Err(Error::ReadBack);
        }
    }
    Ok(after.text().as_bytes().to_vec())
}
