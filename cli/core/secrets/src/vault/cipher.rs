//! PBKDF2, AES-256-CTR, HMAC-SHA-256 over the ciphertext.

use std::num::NonZeroU32;

use aws_lc_rs::{
    cipher::{AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey},
    hmac,
    iv::FixedLength,
    pbkdf2,
};
use zeroize::Zeroizing;

use super::{Envelope, Error};

const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(9_999);
const BLOCK: usize = 16;

/// What one password and one salt give.
struct Derived(Zeroizing<[u8; 80]>);

impl Derived {
    fn from(password: &[u8], salt: &[u8]) -> Self {
        let mut out = Zeroizing::new([0; 80]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, password, &mut *out);
        Self(out)
    }
    fn signing(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0[32..64])
    }
    /// Encrypts and decrypts: in counter mode both are the same.
    fn stream(&self, in_out: &mut [u8]) -> Result<(), Error> {
        let mut counter = [0; BLOCK];
        counter.copy_from_slice(&self.0[64..]);
        let key = UnboundCipherKey::new(&AES_256, &self.0[..32]).and_then(DecryptingKey::ctr);
        let context = DecryptionContext::Iv128(FixedLength::from(counter));
        key.and_then(|key| key.decrypt(in_out, context).map(|_| ())).map_err(|_| Error::Damaged)
    }
}

/// The plaintext, or nothing when the password (or the text) is not the right one.
pub fn open(envelope: &Envelope, password: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let derived = Derived::from(password, &envelope.salt);
    if hmac::verify(&derived.signing(), &envelope.ciphertext, &envelope.hmac).is_err() {
        return Ok(None);
    }
    let mut text = Zeroizing::new(envelope.ciphertext.clone());
    derived.stream(&mut text)?;
    let padding = text.last().map_or(0, |n| usize::from(*n));
    let kept = text.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding));
    let kept = kept.filter(|k| text[*k..].iter().all(|b| usize::from(*b) == padding));
    text.truncate(kept.ok_or(Error::Damaged)?);
    Ok(Some(text))
}

/// Encrypts under this password. `salt` is fresh for every call; without a label, or with `default`, version 1.1.
pub fn seal(plaintext: &[u8], password: &[u8], label: &str, salt: [u8; 32]) -> Result<Envelope, Error> {
    if label.is_empty() || label.contains(|c: char| c == ';' || c.is_whitespace() || !c.is_ascii_graphic()) {
        return Err(Error::Label(label.to_owned()));
    }
    let derived = Derived::from(password, &salt);
    let padding = BLOCK - plaintext.len() % BLOCK;
    let mut text = Zeroizing::new(Vec::with_capacity(plaintext.len() + BLOCK));
    text.extend_from_slice(plaintext);
    text.extend(std::iter::repeat_n(padding as u8, padding));
    derived.stream(&mut text)?;
    let mut tag = [0; 32];
    tag.copy_from_slice(hmac::sign(&derived.signing(), &text).as_ref());
    let label = (label != "default").then(|| label.to_owned());
    Ok(Envelope { label, salt: salt.to_vec(), hmac: tag, ciphertext: text.to_vec() })
}
