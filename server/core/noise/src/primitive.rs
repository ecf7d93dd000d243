//! What snow computes with: X25519 and ChaCha20-Poly1305 of aws-lc, BLAKE2s of its own default, and in the place of a
//! random generator the one ephemeral key that the caller handed in.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ident::Secret;
use snow::{
    Error,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::{CryptoResolver, DefaultResolver},
    types::{Cipher, Dh, Hash, Random},
};

use crate::{PrivateKey, frame::TAG_LEN};

pub(crate) struct Primitives {
    /// Saves parsing the static key anew for each handshake.
    pub(crate) fixed: PrivateKey,
    pub(crate) ephemeral: Secret<[u8; 32]>,
}

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once(Some(self.ephemeral.clone()))))
    }
    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519)
            .then(|| Box::new(Curve { fixed: self.fixed.clone(), key: None }) as Box<dyn Dh>)
    }
    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }
    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        matches!(choice, CipherChoice::ChaChaPoly).then(|| Box::new(ChaCha(None)) as Box<dyn Cipher>)
    }
}

/// Gives its bytes once, then fails.
struct Once(Option<Secret<[u8; 32]>>);

impl Random for Once {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        let bytes = self.0.take().filter(|b| b.expose().len() == dest.len()).ok_or(Error::Rng)?;
        dest.copy_from_slice(bytes.expose());
        Ok(())
    }
}

struct Curve {
    fixed: PrivateKey,
    key: Option<PrivateKey>,
}

impl Dh for Curve {
    fn name(&self) -> &'static str {
        "25519"
    }
    fn pub_len(&self) -> usize {
        32
    }
    fn priv_len(&self) -> usize {
        32
    }
    /// snow sets only the static key, which is here already.
    fn set(&mut self, _: &[u8]) {
        self.key = Some(self.fixed.clone());
    }
    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut raw = [0; 32];
        rng.try_fill_bytes(&mut raw)?;
        self.key = Some(PrivateKey::new(raw).map_err(|_| Error::Dh)?);
        Ok(())
    }
    fn pubkey(&self) -> &[u8] {
        self.key.as_ref().map_or(&[], |key| key.public_bytes())
    }
    fn privkey(&self) -> &[u8] {
        self.key.as_ref().map_or(&[], |key| key.raw())
    }
    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), Error> {
        // snow hands over its longest key buffer
        let (Some(public), Some(out)) = (pubkey.get(..32), out.get_mut(..32)) else { return Err(Error::Dh) };
        let shared = self.key.as_ref().and_then(|k| k.agree(public)).ok_or(Error::Dh)?;
        out.copy_from_slice(shared.expose());
        Ok(())
    }
}

/// `None` until a key is set.
struct ChaCha(Option<LessSafeKey>);

impl Cipher for ChaCha {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }
    fn set(&mut self, key: &[u8; 32]) {
        self.0 = UnboundKey::new(&CHACHA20_POLY1305, key).ok().map(LessSafeKey::new);
    }
    /// 0 when it fails, and then `out` holds no plaintext.
    fn encrypt(&self, nonce: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let whole = plaintext.len() + TAG_LEN;
        let (Some(key), Some(out)) = (&self.0, out.get_mut(..whole)) else { return 0 };
        let (text, tag) = out.split_at_mut(plaintext.len());
        text.copy_from_slice(plaintext);
        match key.seal_in_place_separate_tag(little_endian(nonce), Aad::from(authtext), text) {
            Ok(sealed) => {
                tag.copy_from_slice(sealed.as_ref());
                whole
            }
            Err(_) => {
                text.fill(0);
                0
            }
        }
    }
    fn decrypt(
        &self,
        nonce: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let key = self.0.as_ref().ok_or(Error::Decrypt)?;
        let len = ciphertext.len().checked_sub(TAG_LEN).ok_or(Error::Decrypt)?;
        let (text, tag) = ciphertext.split_at(len);
        let out = out.get_mut(..len).ok_or(Error::Decrypt)?;
        key.open_separate_gather(little_endian(nonce), Aad::from(authtext), text, tag, out)
            .map_err(|_| Error::Decrypt)?;
        Ok(len)
    }
}

fn little_endian(counter: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}
