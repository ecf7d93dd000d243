//! One door for every format: what stands in a file, one value of it, the file with another value or other keys.

mod inline;
mod whole;

use ident::Secret;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::{
    Fresh,
    age::{self, Identities, Recipients},
    document::{self, Document},
    sops,
    vault::{self, Keyring},
};

/// How a file keeps its secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The whole file is vaulted.
    VaultFile,
    /// A YAML file with `!vault` values, or one that may get them.
    VaultInline,
    /// A YAML file with a `sops` section.
    Sops,
    /// The whole file is an age file.
    Age,
}

/// What opens files.
#[derive(Default)]
pub struct Keys {
    pub vault: Keyring,
    pub age: Identities,
}

/// What a changed file is encrypted with.
pub struct Sealing<'a> {
    /// Label of the vault password to use where the old value does not say.
    pub label: Option<&'a str>,
    /// For whom age files are written.
    pub recipients: &'a Recipients,
    /// RFC 3339, UTC, whole seconds.
    pub now: &'a str,
    /// Add the value when it is not there.
    pub create: bool,
}

/// Other keys for a file.
pub struct Rekey<'a> {
    pub vault: Option<&'a vault::Password>,
    pub recipients: &'a Recipients,
    /// Only vaulted values of this label.
    pub only_label: Option<&'a str>,
    pub now: &'a str,
}

/// A value without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The way to it; absent when the file is one secret.
    pub var: Option<String>,
    /// Whether it is encrypted in the file.
    pub encrypted: bool,
    /// The label of its vault, the recipients of its file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// Why a file is not read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Document(#[from] document::Error),
    #[error("{0}")]
    Vault(#[from] vault::Error),
    #[error("`{0}`: {1}")]
    Value(String, vault::Error),
    #[error(transparent)]
    Sops(#[from] sops::Error),
    #[error(transparent)]
    Age(#[from] age::Error),
    #[error("it is no format that is known here: {0}")]
    Format(&'static str),
    #[error("the file is one secret: leave the variable out")]
    OneSecret,
    #[error("the file holds several values: name one")]
    NeedsVar,
    #[error("the new value is not UTF-8 text")]
    NotText,
    #[error("no new key is given")]
    NoNewKey,
    #[error("the changed file does not read back as it was meant")]
    ReadBack,
}

impl Error {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Document(e) => document_code(e),
            Self::Vault(e) | Self::Value(_, e) => vault_code(e),
            Self::Sops(sops::Error::Document(e)) => document_code(e),
            Self::Sops(sops::Error::DataKey(e)) | Self::Age(e) => age_code(e),
            Self::Sops(e) => sops_code(e),
            Self::Format(_) => "unknown_format",
            Self::OneSecret | Self::NeedsVar => "wrong_variable",
            Self::NotText => "not_text",
            Self::NoNewKey => "no_key",
            Self::ReadBack => "read_back",
        }
    }
    fn is_missing(&self) -> bool {
        use document::Error::Missing;
        matches!(self, Self::Document(Missing(_)) | Self::Sops(sops::Error::Document(Missing(_))))
    }
}

fn document_code(e: &document::Error) -> &'static str {
    use document::Error as E;
    match e {
        E::TooLarge => "too_large",
        E::NotText => "not_text",
        E::Syntax { .. } => "syntax",
        E::Duplicate { .. } => "duplicate_key",
        E::Anchor { .. } => "anchor",
        E::TooDeep { .. } => "too_deep",
        E::Key { .. } | E::Layout { .. } | E::Ambiguous(_) => "unsupported",
        E::Missing(_) | E::NotScalar(_) | E::Place(_) => "no_such_value",
        E::Spill(_) => "read_back",
    }
}

fn vault_code(e: &vault::Error) -> &'static str {
    use vault::Error as E;
    match e {
        E::NotVault | E::Version(_) => "unknown_format",
        E::Truncated => "truncated",
        E::NotHex | E::Damaged => "damaged",
        E::NoPassword => "no_key",
        E::WhichPassword => "which_password",
        E::WrongPassword { .. } => "wrong_password",
        E::Tampered => "tampered",
        E::Label(_) => "bad_label",
    }
}

fn age_code(e: &age::Error) -> &'static str {
    use age::Error as E;
    match e {
        E::Header => "damaged",
        E::NoIdentity | E::NoRecipient => "no_key",
        E::WrongIdentity => "wrong_recipient",
        E::WrongPassphrase => "wrong_password",
        E::Mac => "tampered",
        E::Damaged => "truncated",
        E::Work | E::TooLarge => "too_large",
        E::Recipient(_) | E::Identity(_) | E::Mixed | E::Count { .. } => "bad_key",
    }
}

fn sops_code(e: &sops::Error) -> &'static str {
    use sops::Error as E;
    match e {
        E::Mac | E::Value(_) => "tampered",
        E::Naked(_) | E::NotEncrypted(_) => "not_encrypted",
        E::Metadata(_) | E::Expression(_) | E::Rules(_) => "bad_metadata",
        E::Unsupported(_) | E::Type(_) => "unsupported",
        E::NoRule => "no_rule",
        E::DataKey(e) => age_code(e),
        E::Document(e) => document_code(e),
    }
}

impl Format {
    /// What a file is, by its bytes.
    pub fn of(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > document::LONGEST {
            return Err(document::Error::TooLarge.into());
        }
        if vault::Envelope::is_one(bytes) {
            return Ok(Self::VaultFile);
        }
        if age::is_one(bytes) {
            return Ok(Self::Age);
        }
        let document = document::Document::parse(bytes)?;
        let [first, ..] = document.roots() else { return Err(Error::Format("it is empty")) };
        if first.get("sops").is_some_and(|s| s.get("mac").is_some()) {
            return Ok(Self::Sops);
        }
        if sops::has_sealed(&document) {
            return Err(sops::Error::Metadata("its values are sealed, and what opens them is missing").into());
        }
        match first.value {
            document::Value::Mapping(_) | document::Value::Sequence(_) => Ok(Self::VaultInline),
            document::Value::Scalar(_) => Err(Error::Format("neither Ansible Vault, SOPS nor age")),
        }
    }
}

/// What stands in a file. Without keys, a file that is encrypted whole is one entry.
pub fn list(bytes: &[u8], keys: Option<&Keys>) -> Result<Vec<Entry>, Error> {
    match Format::of(bytes)? {
        Format::VaultFile | Format::Age => whole::list(bytes, keys),
        Format::VaultInline => Ok(inline::list(&Document::parse(bytes)?)),
        Format::Sops => Ok(sops::list(&Document::parse(bytes)?)?.into_iter().map(Entry::from).collect()),
    }
}

/// One value, or the whole content of a file that is encrypted whole.
pub fn get(bytes: &[u8], var: Option<&str>, keys: &Keys) -> Result<Secret<Vec<u8>>, Error> {
    match (Format::of(bytes)?, var) {
        (Format::VaultFile | Format::Age, _) => whole::get(bytes, var, keys),
        (_, None) => Err(Error::NeedsVar),
        (Format::VaultInline, Some(var)) => inline::get(&Document::parse(bytes)?, var, &keys.vault),
        (Format::Sops, Some(var)) => {
            let document = Document::parse(bytes)?;
            Ok(sops::Opened::open(&document, &keys.age)?.get(var)?)
        }
    }
}

/// How many encrypted values a file holds, after every one was opened.
pub fn verify(bytes: &[u8], keys: &Keys) -> Result<usize, Error> {
    match Format::of(bytes)? {
        Format::VaultFile | Format::Age => whole::open(bytes, keys).map(|_| 1),
        Format::VaultInline => Ok(inline::open(&Document::parse(bytes)?, &keys.vault)?.len()),
        Format::Sops => {
            let document = Document::parse(bytes)?;
            let opened = sops::Opened::open(&document, &keys.age)?;
            Ok(opened.values().iter().filter(|v| v.sealed).count())
        }
    }
}

/// The file with another value, read back. None when the value is what it was.
pub fn set(
    bytes: &[u8],
    var: Option<&str>,
    value: &Secret<Vec<u8>>,
    keys: &Keys,
    sealing: &Sealing<'_>,
    fresh: Fresh<'_>,
) -> Result<Option<Vec<u8>>, Error> {
    match get(bytes, var, keys) {
        Ok(old) if old.expose() == value.expose() && is_sealed(bytes, var)? => return Ok(None),
        Ok(_) => {}
        Err(e) if sealing.create && e.is_missing() => {}
        Err(e) => return Err(e),
    }
    let new = match (Format::of(bytes)?, var) {
        (Format::VaultFile | Format::Age, _) => whole::set(bytes, var, value, keys, sealing, fresh)?,
        (_, None) => return Err(Error::NeedsVar),
        (Format::VaultInline, Some(var)) => {
            inline::set(&Document::parse(bytes)?, var, value, keys, sealing, fresh)?
        }
        (Format::Sops, Some(var)) => {
            let document = Document::parse(bytes)?;
            let opened = sops::Opened::open(&document, &keys.age)?;
            let after = opened.set(var, text(value)?, sealing.create, sealing.now, fresh)?;
            after.text().as_bytes().to_vec()
        }
    };
    let read = get(&new, var, keys)?;
    if read.expose() == value.expose() { Ok(Some(new)) } else { Err(Error::ReadBack) }
}

/// The file under other keys, read back with them.
pub fn rekey(bytes: &[u8], keys: &Keys, to: &Rekey<'_>, fresh: Fresh<'_>) -> Result<Vec<u8>, Error> {
    match Format::of(bytes)? {
        Format::VaultFile | Format::Age => whole::rekey(bytes, keys, to, fresh),
        Format::VaultInline => inline::rekey(&Document::parse(bytes)?, keys, to, fresh),
        Format::Sops => {
            let document = Document::parse(bytes)?;
            let opened = sops::Opened::open(&document, &keys.age)?;
            let rewrap = sops::Rewrap { recipients: to.recipients, now: to.now };
            let after = opened.rewrap(&rewrap, fresh)?;
            opened.same_as(&sops::Opened::open(&after, &keys.age)?).then_some(()).ok_or(Error::ReadBack)?;
            Ok(after.text().as_bytes().to_vec())
        }
    }
}

/// Whether a value is encrypted where it stands.
fn is_sealed(bytes: &[u8], var: Option<&str>) -> Result<bool, Error> {
    let entries = list(bytes, None)?;
    let Some(var) = var else { return Ok(true) };
    let place = match Format::of(bytes)? {
        Format::VaultFile | Format::Age => return Ok(true),
        Format::VaultInline | Format::Sops => Document::parse(bytes)?.find(var)?.place.to_string(),
    };
    Ok(entries.iter().any(|e| e.encrypted && e.var.as_deref() == Some(&*place)))
}

/// A plaintext that stands in the file as text.
fn text(secret: &Secret<Vec<u8>>) -> Result<&str, Error> {
    std::str::from_utf8(secret.expose()).map_err(|_| Error::NotText)
}

fn secret(text: &Zeroizing<Vec<u8>>) -> Secret<Vec<u8>> {
    Secret::new(text.to_vec())
}

impl From<sops::Listed> for Entry {
    fn from(listed: sops::Listed) -> Self {
        Self { var: Some(listed.place), encrypted: listed.sealed, keys: listed.recipients }
    }
}
