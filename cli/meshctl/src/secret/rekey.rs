//! `meshctl secret rekey`.

use std::path::{Path, PathBuf};

use secrets::{Format, Rekey, age::Recipients, vault::Password};
use serde::Serialize;

use super::{
    keys::{self, KeyArgs, RecipientArgs},
    place::Place,
    set::{fresh, now},
    words,
};
use crate::talk::{Answer, Check, Context, Deed, Failure, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl secret rekey v.yml --vault-password-file old --new-vault-password-file new
  meshctl secret rekey group_vars/*/vault.yml --vault-id prod@old --new-vault-id prod@new --check
  meshctl secret rekey secrets.sops.yaml
  meshctl secret rekey backup.age --age-identity keys.txt --recipient age1…

Vault files and vaulted values get the new password. SOPS files get a new data key, for the
recipients that are named or that .sops.yaml says. Whoever could read the old file may still know
what was in it: rotate those secrets too. All files are made before the first is replaced.")]
pub struct Args {
    /// Files to put under the new key
    #[arg(required_unless_present = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// File, as other verbs name it
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// File with the new vault password, or a program that prints it
    #[arg(long, value_name = "FILE", conflicts_with = "new_vault_id")]
    new_vault_password_file: Option<String>,
    /// New vault password with its label
    #[arg(long, value_name = "LABEL@SOURCE")]
    new_vault_id: Option<String>,
    /// Only vaulted values of this label
    #[arg(long, value_name = "LABEL")]
    only_vault_id: Option<String>,
    /// File with the new passphrase of an age file
    #[arg(long, value_name = "FILE")]
    new_age_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    recipients: RecipientArgs,
    #[command(flatten)]
    check: Check,
}

#[derive(Serialize)]
struct Report {
    changed: bool,
    check: bool,
    files: Vec<PathBuf>,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let files: Vec<_> = args.files.iter().chain(&args.file).cloned().collect();
    let here = std::env::current_dir().map_err(|e| Failure::failed(e.to_string()))?;
    let password = new_password(context, &args, &here)?;
    let mut made = Vec::new();
    for file in &files {
        made.push(one(context, &args, file, password.as_ref(), &here)?);
    }
    if !args.check.check {
        for (file, new) in files.iter().zip(made) {
            let mut place = Place::open(file)?;
            if place.bytes != new.old {
                let detail = format!("{} changed while it was worked on", file.display());
                return Err(Failure::failed(detail).code("changed_meanwhile").hint("run it again"));
            }
            place.replace(new.bytes)?;
        }
    }
    Answer::of(context, &Report { changed: true, check: args.check.check, files })
}

/// A file before and after.
struct Made {
    old: Vec<u8>,
    bytes: Vec<u8>,
}

fn one(
    context: &Context,
    args: &Args,
    file: &Path,
    password: Option<&Password>,
    here: &Path,
) -> Result<Made, Failure> {
    let old = super::place::read(file)?;
    let complain = |e: secrets::Error| words::failure(file, &e);
    let format = Format::of(&old).map_err(complain)?;
    let keys = args.keys.gather(context, format, here)?;
    let recipients = recipients(args, file, format, here)?;
    let only_label = args.only_vault_id.as_deref();
    let now = now();
    let to = Rekey { vault: password, recipients: &recipients, only_label, now: &now };
    let bytes = fresh(|fresh| secrets::rekey(&old, &keys, &to, fresh)).map_err(complain)?;
    Ok(Made { old, bytes })
}

fn new_password(context: &Context, args: &Args, here: &Path) -> Result<Option<Password>, Failure> {
    let file = args.new_vault_password_file.as_ref().map(|f| format!("default@{f}"));
    let source = args.new_vault_id.clone().or(file);
    source.map(|s| keys::password(context, &s, here)).transpose()
}

fn recipients(args: &Args, file: &Path, format: Format, here: &Path) -> Result<Recipients, Failure> {
    let mut named = args.recipients.named(here)?;
    if let Some(file) = &args.new_age_passphrase_file {
        named.set_passphrase(crate::talk::read_secret(file)?);
    }
    match format {
        Format::Sops if named.is_empty() => keys::rules(file, here),
        Format::Age if named.is_empty() => args.recipients.for_file(file, &KeyArgs::default(), here),
        Format::Sops | Format::Age | Format::VaultFile | Format::VaultInline => Ok(named),
    }
}

impl Render for Report {
    fn render(&self, _: &Screen) -> String {
        let line = |file: &PathBuf| {
            let deed = Deed { verb: "re-key", past: "re-keyed", thing: file.display().to_string() };
            deed.sentence(self.changed, self.check)
        };
        self.files.iter().map(line).collect()
    }
}
