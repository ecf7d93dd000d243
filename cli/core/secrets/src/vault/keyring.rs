//! The passwords that are known, in the order in which Ansible tries them.

use ident::Secret;
use zeroize::Zeroizing;

use super::{Envelope, Error, cipher};

/// A password and the label it belongs to.
#[derive(Debug, Clone)]
pub struct Password {
    pub label: String,
    pub secret: Secret<Vec<u8>>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Keyring {
    passwords: Vec<Password>,
    /// Only passwords of the text's own label are tried (`vault_id_match`).
    match_only: bool,
}

impl Keyring {
    /// In this order.
    pub fn new(passwords: Vec<Password>, match_only: bool) -> Self {
        Self { passwords, match_only }
    }
    /// None is known.
    pub fn is_empty(&self) -> bool {
        self.passwords.is_empty()
    }
    /// In their order.
    pub fn passwords(&self) -> &[Password] {
        &self.passwords
    }
    /// The plaintext and the password that gave it: first those of the same label, then the others.
    pub fn open(&self, envelope: &Envelope) -> Result<(Zeroizing<Vec<u8>>, &Password), Error> {
        if self.passwords.is_empty() {
            return Err(Error::NoPassword);
        }
        let label = envelope.label.as_deref().unwrap_or("default");
        let (same, others): (Vec<_>, Vec<_>) = self.passwords.iter().partition(|p| p.label == label);
        let others = others.into_iter().filter(|_| !self.match_only);
        let mut tried = 0;
        for password in same.into_iter().chain(others) {
            tried += 1;
            if let Some(text) = cipher::open(envelope, password.secret.expose())? {
                return Ok((text, password));
            }
        }
        Err(Error::WrongPassword { label: label.to_owned(), tried })
    }
    /// The password to encrypt with: the one of this label, or the only one.
    pub fn sealing(&self, label: Option<&str>) -> Result<&Password, Error> {
        match (label, &self.passwords[..]) {
            (_, []) => Err(Error::NoPassword),
            (Some(label), all) => all.iter().find(|p| p.label == label).ok_or(Error::NoPassword),
            (None, [one]) => Ok(one),
            (None, _) => Err(Error::WhichPassword),
        }
    }
}
