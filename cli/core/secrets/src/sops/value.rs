//! `ENC[AES256_GCM,…]`: one value on its own.

use aes_gcm::{
    AesGcm, KeyInit,
    aead::{
        AeadInPlace,
        consts::{U12, U32},
        generic_array::GenericArray,
    },
    aes::Aes256,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

const OPENING: &str = "ENC[AES256_GCM,data:";

/// An encrypted value as it stands in the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Sealed {
    data: Vec<u8>,
    iv: Vec<u8>,
    tag: Vec<u8>,
    /// `str`, `int`, `float`, `bool`, `bytes`, `time`, `comment`.
    pub kind: String,
}

impl Sealed {
    /// Whether a text claims to be one.
    pub fn is_one(text: &str) -> bool {
        text.starts_with("ENC[AES256_GCM,") && text.trim_end().ends_with(']')
    }
    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        let inside = text.trim_end().strip_prefix(OPENING)?.strip_suffix(']')?;
        let (data, rest) = inside.split_once(",iv:")?;
        let (iv, rest) = rest.split_once(",tag:")?;
        let (tag, kind) = rest.split_once(",type:")?;
        let bytes = |text: &str| BASE64_STANDARD.decode(text).ok();
        Some(Self { data: bytes(data)?, iv: bytes(iv)?, tag: bytes(tag)?, kind: kind.to_owned() })
    }
    /// Encrypts. `iv` is fresh for every call.
    pub fn seal(text: &[u8], kind: &str, key: &[u8; 32], aad: &str, iv: [u8; 32]) -> Option<Self> {
        let mut data = Zeroizing::new(text.to_vec());
        let cipher = AesGcm::<Aes256, U32>::new(GenericArray::from_slice(key));
        let nonce = GenericArray::from_slice(&iv);
        let tag = cipher.encrypt_in_place_detached(nonce, aad.as_bytes(), &mut data).ok()?;
        Some(Self { data: data.to_vec(), iv: iv.to_vec(), tag: tag.to_vec(), kind: kind.to_owned() })
    }
    /// The plaintext, when key and additional data are the right ones and nothing was changed.
    pub fn open(&self, key: &[u8; 32], aad: &str) -> Option<Zeroizing<Vec<u8>>> {
        let mut text = Zeroizing::new(self.data.clone());
        if self.tag.len() != 16 {
            return None;
        }
        let (key, tag) = (GenericArray::from_slice(key), GenericArray::from_slice(&self.tag));
        let opened = match self.iv.len() {
            32 => AesGcm::<Aes256, U32>::new(key).decrypt_in_place_detached(
                GenericArray::from_slice(&self.iv),
                aad.as_bytes(),
                &mut text,
                tag,
            ),
            12 => AesGcm::<Aes256, U12>::new(key).decrypt_in_place_detached(
                GenericArray::from_slice(&self.iv),
                aad.as_bytes(),
                &mut text,
                tag,
            ),
            _ => return None,
        };
        opened.ok().map(|()| text)
    }
    /// The text form.
    pub fn format(&self) -> String {
        let [data, iv, tag] = [&self.data, &self.iv, &self.tag].map(|b| BASE64_STANDARD.encode(b));
        format!("{OPENING}{data},iv:{iv},tag:{tag},type:{}]", self.kind)
    }
}
