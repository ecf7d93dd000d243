//! For whom: making age files.

use std::io::{BufRead, Write};

use ::age::{
    Encryptor, Recipient,
    armor::{ArmoredReader, ArmoredWriter, Format},
    scrypt,
    secrecy::SecretString,
    ssh, x25519,
};
use ident::Secret;

use super::{Error, is_armored};

/// Who will be able to open a file.
#[derive(Default)]
pub struct Recipients {
    keys: Vec<(String, Box<dyn Recipient + Send + Sync>)>,
    passphrase: Option<Secret<String>>,
}

impl Recipients {
    /// Adds one: `age1…`, `ssh-ed25519 …`, `ssh-rsa …`.
    pub fn add(&mut self, text: &str) -> Result<(), Error> {
        let text = text.trim();
        let unknown = || Error::Recipient(text.chars().take(80).collect());
        let key: Box<dyn Recipient + Send + Sync> = if text.starts_with("ssh-") {
            Box::new(text.parse::<ssh::Recipient>().map_err(|_| unknown())?)
        } else {
            Box::new(text.parse::<x25519::Recipient>().map_err(|_| unknown())?)
        };
        if !self.keys.iter().any(|(name, _)| name == text) {
            self.keys.push((text.to_owned(), key));
        }
        Ok(())
    }
    /// Adds every line of a recipients file.
    pub fn add_lines(&mut self, text: &str) -> Result<(), Error> {
        let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        for line in lines {
            self.add(line)?;
        }
        Ok(())
    }
    /// The file opens with this passphrase and nothing else.
    pub fn set_passphrase(&mut self, passphrase: Secret<String>) {
        self.passphrase = Some(passphrase);
    }
    /// The passphrase, when it opens with one.
    pub fn passphrase(&self) -> Option<&Secret<String>> {
        self.passphrase.as_ref()
    }
    /// Nobody.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.passphrase.is_none()
    }
    /// Their public texts.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(name, _)| name.as_str())
    }
    /// An age file for all of them.
    pub fn seal(&self, text: &[u8], armored: bool) -> Result<Vec<u8>, Error> {
        match (&self.passphrase, &self.keys[..]) {
            (Some(_), [_, ..]) => Err(Error::Mixed),
            (Some(p), []) => {
                let key = scrypt::Recipient::new(SecretString::from(p.expose().clone()));
                sealed(text, std::iter::once(&key as &dyn Recipient), armored)
            }
            (None, []) => Err(Error::NoRecipient),
            (None, keys) => sealed(text, keys.iter().map(|(_, k)| &**k as &dyn Recipient), armored),
        }
    }
    /// An armored age file for one of them alone.
    pub fn seal_for(&self, name: &str, text: &[u8]) -> Result<String, Error> {
        let key = self.keys.iter().find(|(n, _)| n == name).ok_or(Error::NoRecipient)?;
        let bytes = sealed(text, std::iter::once(&*key.1 as &dyn Recipient), true)?;
        String::from_utf8(bytes).map_err(|_| Error::Damaged)
    }
    /// Writes an age file anew: for as many as could open it, in the armor it had.
    pub fn reseal(&self, old: &[u8], text: &[u8]) -> Result<Vec<u8>, Error> {
        let there = stanzas(old)?;
        let given = self.keys.len() + usize::from(self.passphrase.is_some());
        if there != given && given != 0 {
            return Err(Error::Count { there, given });
        }
        self.seal(text, is_armored(old))
    }
}

fn sealed<'a>(
    text: &[u8],
    recipients: impl Iterator<Item = &'a dyn Recipient>,
    armored: bool,
) -> Result<Vec<u8>, Error> {
    let encryptor = Encryptor::with_recipients(recipients).map_err(|_| Error::Mixed)?;
    let format = if armored { Format::AsciiArmor } else { Format::Binary };
    let write = || {
        let output = ArmoredWriter::wrap_output(Vec::new(), format)?;
        let mut writer = encryptor.wrap_output(output)?;
        writer.write_all(text)?;
        writer.finish()?.finish()
    };
    write().map_err(|_: std::io::Error| Error::Damaged)
}

/// How many can open a file: the stanzas of its header that are no decoys.
pub fn stanzas(bytes: &[u8]) -> Result<usize, Error> {
    let mut count = 0;
    let mut reader = ArmoredReader::new(bytes);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(|_| Error::Header)?;
        if read == 0 {
            return Err(Error::Header);
        }
        if line.starts_with(b"---") {
            return Ok(count);
        }
        let kind = line.strip_prefix(b"-> ").map(|rest| rest.trim_ascii().split(|b| *b == b' ').next());
        if let Some(kind) = kind {
            count += usize::from(!kind.unwrap_or_default().ends_with(b"-grease"));
        }
    }
}
