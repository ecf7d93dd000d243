//! The text form of a vaulted value.

use super::Error;

const MAGIC: &str = "$ANSIBLE_VAULT";
const COLUMNS: usize = 80;

/// Salt, HMAC and ciphertext, and the label beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Absent in version 1.1.
    pub label: Option<String>,
    pub salt: Vec<u8>,
    pub hmac: [u8; 32],
    pub ciphertext: Vec<u8>,
}

impl Envelope {
    /// Whether a text claims to be one.
    pub fn is_one(text: &[u8]) -> bool {
        text.starts_with(MAGIC.as_bytes())
    }
    /// Reads a whole text: header line, then lines of hex; any line ends, the last one may be missing.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut lines = text.trim_end().lines();
        let label = header(lines.next().unwrap_or_default())?;
        let mut outer = String::with_capacity(text.len());
        lines.for_each(|line| outer.push_str(line.trim_end_matches('\r')));
        if outer.is_empty() {
            return Err(Error::Truncated);
        }
        let inner = unhex(outer.as_bytes())?;
        let mut parts = inner.split(|b| *b == b'\n');
        let (Some(salt), Some(hmac), Some(ciphertext), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::Truncated);
        };
        let hmac = unhex(hmac)?.try_into().map_err(|_| Error::Truncated)?;
        let (salt, ciphertext) = (unhex(salt)?, unhex(ciphertext)?);
        if salt.is_empty() || ciphertext.is_empty() || !ciphertext.len().is_multiple_of(16) {
            return Err(Error::Truncated);
        }
        Ok(Self { label, salt, hmac, ciphertext })
    }
    /// The text, with line feeds and one behind the last line.
    pub fn format(&self) -> String {
        let header = match &self.label {
            None => format!("{MAGIC};1.1;AES256\n"),
            Some(label) => format!("{MAGIC};1.2;AES256;{label}\n"),
        };
        let parts = [&self.salt[..], &self.hmac, &self.ciphertext].map(hex::encode);
        let outer = hex::encode(parts.join("\n"));
        outer.as_bytes().chunks(COLUMNS).fold(header, |mut text, line| {
            text.extend(line.iter().map(|b| char::from(*b)));
            text.push('\n');
            text
        })
    }
}

/// The label of a header line.
fn header(line: &str) -> Result<Option<String>, Error> {
    let fields: Vec<_> = line.trim().split(';').map(str::trim).collect();
    match fields[..] {
        [MAGIC, "1.1", "AES256"] => Ok(None),
        [MAGIC, "1.2", "AES256", label] if !label.is_empty() => Ok(Some(label.to_owned())),
        [MAGIC, ..] => Err(Error::Version(fields[1..].join(";").chars().take(40).collect())),
        _ => Err(Error::NotVault),
    }
}

fn unhex(text: &[u8]) -> Result<Vec<u8>, Error> {
    hex::decode(text).map_err(|e| match e {
        hex::FromHexError::OddLength => Error::Truncated,
        _ => Error::NotHex,
    })
}
