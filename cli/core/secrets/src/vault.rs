//! Ansible Vault 1.1 and 1.2: whole files and inline values.
//!
//! The format is that of `ansible.parsing.vault` (ansible-core 2.19 and its neighbours): a header line, hex in lines
//! of 80, inside it salt, HMAC-SHA-256 and ciphertext, each in hex again. The label is a hint that nothing protects.

mod cipher;
mod envelope;
mod inline;
mod keyring;

pub use cipher::seal;
pub use envelope::Envelope;
pub use inline::{Inline, written};
pub use keyring::{Keyring, Password};

/// Why a vaulted text is not opened or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("it does not begin with $ANSIBLE_VAULT")]
    NotVault,
    #[error("Ansible Vault `{0}` is not known: 1.1 and 1.2 with AES256 are")]
    Version(String),
    #[error("the vaulted text ends too early")]
    Truncated,
    #[error("the vaulted text holds something that is not hexadecimal")]
    NotHex,
    #[error("no password for the vault is known")]
    NoPassword,
    #[error("none of the {tried} passwords opens the vault (label `{label}`)")]
    WrongPassword { label: String, tried: usize },
    #[error("the vaulted text was changed: its HMAC does not fit although the password opens its neighbours")]
    Tampered,
    #[error("the vaulted text opens and is damaged inside")]
    Damaged,
    #[error("a label may not be empty, and holds no `;` and no blanks: `{0}`")]
    Label(String),
    #[error("several passwords are given: say with which one to encrypt")]
    WhichPassword,
}
