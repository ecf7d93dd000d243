//! age files: X25519, SSH keys, passphrases, armor. The `age` crate does the format and draws its own file keys.

mod identity;
mod seal;

use std::io::{BufRead, Read};

use ::age::{DecryptError, Decryptor, armor::ArmoredReader};
use zeroize::Zeroizing;

pub use identity::Identities;
pub use seal::{Recipients, stanzas};

use crate::document::LONGEST;

/// Why an age file is not opened or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("it is no age file, or one of an unknown version")]
    Header,
    #[error("no identity is known that could open it")]
    NoIdentity,
    #[error("none of the identities opens it: it is encrypted to others")]
    WrongIdentity,
    #[error("the passphrase does not open it")]
    WrongPassphrase,
    #[error("its header was changed: the MAC does not fit")]
    Mac,
    #[error("its content was changed or ends too early")]
    Damaged,
    #[error("its passphrase takes more work than is lawful")]
    Work,
    #[error("it is longer than {LONGEST} bytes")]
    TooLarge,
    #[error("no recipient is given")]
    NoRecipient,
    #[error("`{0}` is no recipient that is known here")]
    Recipient(String),
    #[error("a key of a kind that is not known here: {0}")]
    Identity(&'static str),
    #[error("a passphrase and other recipients do not go together")]
    Mixed,
    #[error("the file is for {there} recipients and {given} are given")]
    Count { there: usize, given: usize },
}

/// Whether bytes claim to be an age file, armored or not.
pub fn is_one(bytes: &[u8]) -> bool {
    is_armored(bytes) || bytes.starts_with(b"age-encryption.org/")
}

/// Whether they are armored.
pub fn is_armored(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
}

/// The plaintext, by whichever identity opens it.
pub fn open(bytes: &[u8], identities: &Identities) -> Result<Zeroizing<Vec<u8>>, Error> {
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(bytes)).map_err(|e| opening(&e, false))?;
    let scrypt = decryptor.is_scrypt();
    let keys = identities.usable(scrypt);
    if keys.is_empty() {
        return Err(Error::NoIdentity);
    }
    let reader = decryptor.decrypt(keys.into_iter()).map_err(|e| opening(&e, scrypt))?;
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len()));
    reader.take(LONGEST as u64 + 1).read_to_end(&mut text).map_err(|_| Error::Damaged)?;
    if text.len() > LONGEST { Err(Error::TooLarge) } else { Ok(text) }
}

/// The plaintext of a file of any length, as it is read: it is genuine up to where it was read, and whole only when its end was.
pub fn reader<R: BufRead>(input: R, identities: &Identities) -> Result<impl Read + use<R>, Error> {
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(input)).map_err(|e| opening(&e, false))?;
    let scrypt = decryptor.is_scrypt();
    let keys = identities.usable(scrypt);
    if keys.is_empty() {
        return Err(Error::NoIdentity);
    }
    decryptor.decrypt(keys.into_iter()).map_err(|e| opening(&e, scrypt))
}

fn opening(e: &DecryptError, scrypt: bool) -> Error {
    match e {
        DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed if scrypt => Error::WrongPassphrase,
        DecryptError::DecryptionFailed if scrypt => Error::WrongPassphrase,
        DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed => Error::WrongIdentity,
        DecryptError::InvalidMac => Error::Mac,
        DecryptError::ExcessiveWork { .. } => Error::Work,
        DecryptError::InvalidHeader | DecryptError::UnknownFormat => Error::Header,
        DecryptError::Io(_) => Error::Header,
        _ => Error::Damaged,
    }
}
