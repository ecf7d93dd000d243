//! What opens files: flags first, then everything that Ansible and SOPS would find.

mod age;
mod ansible_cfg;
mod prompt;
mod source;
mod vault;

use std::path::{Path, PathBuf};

use ident::Secret;
use secrets::{Format, Keys, age::Recipients, vault::Password};
use serde::{Deserialize, Serialize};

use crate::talk::{Context, Failure};

pub use age::rules;

/// Flags that name keys. They hold names of files, never a secret.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[command(next_help_heading = "Keys")]
pub struct KeyArgs {
    /// Vault password: LABEL@FILE, LABEL@SCRIPT or LABEL@prompt; may stand several times
    #[arg(long, value_name = "LABEL@SOURCE")]
    vault_id: Vec<String>,
    /// File with the vault password, or a program that prints it
    #[arg(long, value_name = "FILE")]
    vault_password_file: Vec<String>,
    /// Ask for the vault password
    #[arg(long)]
    ask_vault_pass: bool,
    /// File with age or SSH identities; may stand several times
    #[arg(long, value_name = "FILE")]
    age_identity: Vec<PathBuf>,
    /// File with the passphrase of an age file or of an SSH identity
    #[arg(long, value_name = "FILE")]
    age_passphrase_file: Option<PathBuf>,
}

/// Flags that say for whom age files are written.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
#[command(next_help_heading = "For whom")]
pub struct RecipientArgs {
    /// age or SSH recipient; may stand several times
    #[arg(long, value_name = "RECIPIENT")]
    recipient: Vec<String>,
    /// File with recipients, one a line [default for age files: recipients.txt beside the file]
    #[arg(long, value_name = "FILE")]
    recipients_file: Vec<PathBuf>,
}

impl KeyArgs {
    /// Everything that may open a file of this format. Relative names begin at `base`.
    pub fn gather(&self, context: &Context, format: Format, base: &Path) -> Result<Keys, Failure> {
        match format {
            Format::VaultFile | Format::VaultInline => {
                let vault = vault::gather(self, context, base)?;
                Ok(Keys { vault, ..Keys::default() })
            }
            Format::Sops | Format::Age => {
                let age = age::gather(self, context, format, base)?;
                Ok(Keys { age, ..Keys::default() })
            }
        }
    }
    /// The passphrase that was named.
    pub fn passphrase(&self, base: &Path) -> Result<Option<Secret<String>>, Failure> {
        let file = self.age_passphrase_file.as_ref().map(|f| base.join(f));
        file.map(|f| crate::talk::read_secret(&f)).transpose()
    }
}

impl RecipientArgs {
    /// Those that were named. Relative names begin at `base`.
    pub fn named(&self, base: &Path) -> Result<Recipients, Failure> {
        age::named(&self.recipient, &self.recipients_file, base)
    }
    /// Those that were named, otherwise the ones beside an age file, or its own passphrase.
    pub fn for_file(&self, file: &Path, keys: &KeyArgs, base: &Path) -> Result<Recipients, Failure> {
        let mut named = self.named(base)?;
        if named.is_empty() {
            match keys.passphrase(base)? {
                Some(passphrase) => named.set_passphrase(passphrase),
                None => named = age::beside(file)?,
            }
        }
        Ok(named)
    }
}

/// One password from `LABEL@SOURCE`, or from a source alone.
pub fn password(context: &Context, text: &str, base: &Path) -> Result<Password, Failure> {
    source::read(context, text, base, &secrets::vault::Keyring::default())
}
