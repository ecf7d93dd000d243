//! For whom: the age file around an archive.

use std::{fmt, io::Write};

use age::{Encryptor, Recipient, ssh, x25519};

use super::BackupError;

/// Who will be able to open it; at least one.
pub struct Recipients {
    keys: Vec<(String, Box<dyn Recipient + Send + Sync>)>,
}

impl Recipients {
    /// Public keys: `age1…`, `ssh-ed25519 …`, `ssh-rsa …`.
    pub fn parse(texts: &[String]) -> Result<Self, BackupError> {
        let mut keys: Vec<(String, Box<dyn Recipient + Send + Sync>)> = Vec::new();
        for text in texts.iter().map(|text| text.trim()) {
            let unknown = || BackupError::Recipient(text.chars().take(80).collect());
            let key: Box<dyn Recipient + Send + Sync> = if text.starts_with("ssh-") {
                Box::new(text.parse::<ssh::Recipient>().map_err(|_| unknown())?)
            } else {
                Box::new(text.parse::<x25519::Recipient>().map_err(|_| unknown())?)
            };
            if !keys.iter().any(|(name, _)| name == text) {
                keys.push((text.to_owned(), key));
            }
        }
        if keys.is_empty() { Err(BackupError::NoRecipient) } else { Ok(Self { keys }) }
    }

    /// Their public keys.
    pub fn names(&self) -> Vec<String> {
        self.keys.iter().map(|(name, _)| name.clone()).collect()
    }

    /// What is written into it comes out of `out` encrypted; it is whole once it is finished.
    pub(super) fn seal<W: Write>(&self, out: W) -> Result<age::stream::StreamWriter<W>, BackupError> {
        let keys = self.keys.iter().map(|(_, key)| &**key as &dyn Recipient);
        let encryptor = Encryptor::with_recipients(keys).map_err(|_| BackupError::NoRecipient)?;
        encryptor.wrap_output(out).map_err(BackupError::io("encrypting"))
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(name, _)| name)).finish()
    }
}
