//! Who opens: X25519 keys, SSH keys, a passphrase.

use ::age::{Callbacks, Identity, scrypt, secrecy::SecretString, ssh, x25519};
use ident::Secret;

use super::Error;

/// 2^22 rounds: some seconds and 4 GiB are beyond what a file of strangers may cost.
const MOST_WORK: u8 = 20;

/// Everything that may open a file.
#[derive(Default)]
pub struct Identities {
    keys: Vec<Box<dyn Identity + Send + Sync>>,
    passphrase: Option<Box<dyn Identity + Send + Sync>>,
}

/// Answers for the passphrase of an SSH key.
#[derive(Clone)]
struct Known(Option<Secret<String>>);

impl Callbacks for Known {
    fn display_message(&self, _: &str) {}
    fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }
    fn request_public_string(&self, _: &str) -> Option<String> {
        None
    }
    fn request_passphrase(&self, _: &str) -> Option<SecretString> {
        self.0.as_ref().map(|p| SecretString::from(p.expose().clone()))
    }
}

impl Identities {
    /// None is known.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.passphrase.is_none()
    }
    /// Adds what a text holds: `AGE-SECRET-KEY-1…` lines with comments, or one SSH private key (which may itself be
    /// under `passphrase`).
    pub fn add(&mut self, text: &str, passphrase: Option<&Secret<String>>) -> Result<(), Error> {
        if text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----") {
            return self.add_ssh(text, passphrase);
        }
        let lines = text.split_whitespace_lines();
        let mut found = false;
        for line in lines {
            if line.starts_with("AGE-PLUGIN-") {
                return Err(Error::Identity("plugin keys"));
            }
            if line.starts_with("AGE-SECRET-KEY-PQ-") {
                return Err(Error::Identity("post-quantum keys"));
            }
            let key: x25519::Identity = line.parse().map_err(|_| Error::Identity("not AGE-SECRET-KEY-1…"))?;
            self.keys.push(Box::new(key));
            found = true;
        }
        if found { Ok(()) } else { Err(Error::Identity("an empty key file")) }
    }
    /// Files under a passphrase open with this one.
    pub fn set_passphrase(&mut self, passphrase: &Secret<String>) {
        let mut key = scrypt::Identity::new(SecretString::from(passphrase.expose().clone()));
        key.set_max_work_factor(MOST_WORK);
        self.passphrase = Some(Box::new(key));
    }
    /// Those that fit the kind of file.
    pub(super) fn usable(&self, scrypt: bool) -> Vec<&dyn Identity> {
        let keys: Vec<_> = if scrypt { self.passphrase.iter().collect() } else { self.keys.iter().collect() };
        keys.into_iter().map(|k| &**k as &dyn Identity).collect()
    }

    fn add_ssh(&mut self, text: &str, passphrase: Option<&Secret<String>>) -> Result<(), Error> {
        let key = ssh::Identity::from_buffer(text.as_bytes(), None)
            .map_err(|_| Error::Identity("an SSH key that cannot be read"))?;
        if let ssh::Identity::Unsupported(_) = key {
            return Err(Error::Identity("an SSH key of an unsupported type"));
        }
        self.keys.push(Box::new(key.with_callbacks(Known(passphrase.cloned()))));
        Ok(())
    }
}

/// Lines without comments and blanks; several keys may share a line.
trait KeyLines {
    fn split_whitespace_lines(&self) -> impl Iterator<Item = &str>;
}

impl KeyLines for str {
    fn split_whitespace_lines(&self) -> impl Iterator<Item = &str> {
        let lines = self.lines().map(str::trim).filter(|l| !l.starts_with('#'));
        lines.flat_map(str::split_whitespace)
    }
}
