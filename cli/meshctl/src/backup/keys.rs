//! Who will open a backup, and what opens one. Flags name files and public keys, never a secret.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use control::backup::Recipients;
use ident::Secret;
use secrets::age::{self, Identities};

use super::failure;
use crate::talk::{Failure, read_secret, read_text};

/// For whom.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "For whom")]
pub struct ForWhom {
    /// age or SSH public key; may stand several times
    #[arg(long, value_name = "RECIPIENT")]
    recipient: Vec<String>,
    /// File with public keys, one a line; may stand several times
    #[arg(long, value_name = "FILE")]
    recipients_file: Vec<PathBuf>,
}

impl ForWhom {
    /// Everybody who was named; at least one.
    pub fn recipients(&self) -> Result<Recipients, Failure> {
        let mut texts = self.recipient.clone();
        for file in &self.recipients_file {
            let text = read_text(file)?;
            let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
            texts.extend(lines.map(str::to_owned));
        }
        Recipients::parse(&texts).map_err(|e| failure(&e))
    }
}

/// What opens it.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Keys")]
pub struct Opener {
    /// File with age or SSH private keys that open it; may stand several times
    #[arg(long, value_name = "FILE")]
    age_identity: Vec<PathBuf>,
    /// File with the passphrase of an SSH private key
    #[arg(long, value_name = "FILE")]
    age_passphrase_file: Option<PathBuf>,
}

impl Opener {
    /// Whether none was named.
    pub fn is_empty(&self) -> bool {
        self.age_identity.is_empty()
    }

    /// What is in an archive, as it is read.
    pub fn open(&self, archive: &Path) -> Result<impl Read + use<>, Failure> {
        let shown = archive.display();
        let identities = self.identities()?;
        let file = File::open(archive).map_err(|e| Failure::failed(format!("cannot read {shown}: {e}")))?;
        age::reader(BufReader::new(file), &identities).map_err(|e| {
            let failed = Failure::failed(format!("{shown}: {e}"));
            match e {
                age::Error::NoIdentity | age::Error::WrongIdentity => failed
                    .code("wrong_key")
                    .hint("--age-identity FILE names the private key of one of its recipients"),
                _ => failed.code("damaged").hint("take another backup: `meshctl backup list` shows them"),
            }
        })
    }

    fn identities(&self) -> Result<Identities, Failure> {
        if self.is_empty() {
            return Err(Failure::usage("nothing is named that opens it")
                .hint("--age-identity FILE names the private key of one of its recipients"));
        }
        let passphrase: Option<Secret<String>> =
            self.age_passphrase_file.as_deref().map(read_secret).transpose()?;
        let mut found = Identities::default();
        for path in &self.age_identity {
            let text = Secret::new(read_text(path)?);
            let added = found.add(text.expose(), passphrase.as_ref());
            added.map_err(|e| Failure::failed(format!("{}: {e}", path.display())).code("bad_key"))?;
        }
        Ok(found)
    }
}
