//! `meshctl secret set`.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use ident::Secret;
use jiff::Timestamp;
use secrets::{Format, Keys, Sealing, age::Recipients};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    keys::{KeyArgs, RecipientArgs},
    place::Place,
    words,
};
use crate::talk::{Answer, Check, Context, Deed, Failure, Render, Screen};

/// The longest value.
const LONGEST: u64 = 1 << 20;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl secret set --file v.yml --var NAME --vault-password-file F --value-file -
  meshctl secret set --file secrets.sops.yaml --var db.password --value-file new.txt --check
  meshctl secret set --file v.yml --var NEW --create --vault-id prod@prompt --value-file -

One line feed at the end of the value is left out, unless --exact. Every byte of the file that is
not the value stays what it is; the result is read again and compared before it replaces the file.")]
pub struct Args {
    /// File that holds the secret
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Which value: a top-level key, or a path like a.b[0]; left out for a file that is one secret
    #[arg(long, value_name = "NAME")]
    var: Option<String>,
    /// File with the new value, `-` for standard input
    #[arg(long, value_name = "FILE")]
    value_file: PathBuf,
    /// Take the value with the line feed at its end
    #[arg(long)]
    exact: bool,
    /// Add the value when it is not there
    #[arg(long, requires = "var")]
    create: bool,
    /// Encrypt with the vault password of this label
    #[arg(long, value_name = "LABEL")]
    encrypt_vault_id: Option<String>,
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
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    var: Option<String>,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let value = value(&args.value_file, args.exact)?;
    let mut place = Place::open(&args.file)?;
    let target = Target {
        file: &args.file,
        var: args.var.as_deref(),
        label: args.encrypt_vault_id.as_deref(),
        create: args.create,
        keys: &args.keys,
        recipients: &args.recipients,
        base: Path::new(""),
    };
    let new = target.with(context, &place.bytes, &value)?;
    let changed = new.is_some();
    if let Some(new) = new.filter(|_| !args.check.check) {
        place.replace(new)?;
    }
    Answer::of(context, &Report { changed, check: args.check.check, file: args.file, var: args.var })
}

/// A value in a file, and what is needed to write it.
pub struct Target<'a> {
    pub file: &'a Path,
    pub var: Option<&'a str>,
    pub label: Option<&'a str>,
    pub create: bool,
    pub keys: &'a KeyArgs,
    pub recipients: &'a RecipientArgs,
    /// Where relative names begin.
    pub base: &'a Path,
}

impl Target<'_> {
    /// What opens a file with these bytes.
    pub fn keys(&self, context: &Context, bytes: &[u8]) -> Result<Keys, Failure> {
        let format = Format::of(bytes).map_err(|e| words::failure(self.file, &e))?;
        self.keys.gather(context, format, self.base)
    }
    /// The value as it is.
    pub fn value(&self, context: &Context, bytes: &[u8]) -> Result<Secret<Vec<u8>>, Failure> {
        let keys = self.keys(context, bytes)?;
        secrets::get(bytes, self.var, &keys).map_err(|e| words::failure(self.file, &e))
    }
    /// The file with this value; none when it holds it already.
    pub fn with(
        &self,
        context: &Context,
        bytes: &[u8],
        value: &Secret<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let format = Format::of(bytes).map_err(|e| words::failure(self.file, &e))?;
        let keys = self.keys.gather(context, format, self.base)?;
        let recipients = match format {
            Format::Age => self.recipients.for_file(&self.base.join(self.file), self.keys, self.base)?,
            Format::Sops | Format::VaultFile | Format::VaultInline => Recipients::default(),
        };
        let now = now();
        let sealing = Sealing { label: self.label, recipients: &recipients, now: &now, create: self.create };
        fresh(|fresh| secrets::set(bytes, self.var, value, &keys, &sealing, fresh))
            .map_err(|e| words::failure(self.file, &e))
    }
}

/// A new value from a file or from standard input.
pub fn value(path: &Path, exact: bool) -> Result<Secret<Vec<u8>>, Failure> {
    let io = |e: io::Error| words::unreadable(path, &e);
    let mut bytes = Zeroizing::new(Vec::new());
    if path == Path::new("-") {
        io::stdin().lock().take(LONGEST + 1).read_to_end(&mut bytes).map_err(io)?;
    } else {
        File::open(path).map_err(io)?.take(LONGEST + 1).read_to_end(&mut bytes).map_err(io)?;
    }
    if bytes.len() as u64 > LONGEST {
        let detail = format!("{} is longer than {LONGEST} bytes", path.display());
        return Err(Failure::failed(detail).code("too_large"));
    }
    let kept = if exact { &bytes[..] } else { bytes.strip_suffix(b"\n").unwrap_or(&bytes) };
    let kept = if exact { kept } else { kept.strip_suffix(b"\r").unwrap_or(kept) };
    if kept.is_empty() {
        let failure = Failure::failed(format!("the value in {} is empty", path.display()));
        return Err(failure.code("empty_value").hint("an empty secret opens doors: write something"));
    }
    Ok(Secret::new(kept.to_vec()))
}

/// This moment as SOPS writes it.
pub fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Runs with random bytes of the operating system. What was made while it gave none is not used.
pub fn fresh<T>(
    make: impl FnOnce(secrets::Fresh<'_>) -> Result<T, secrets::Error>,
) -> Result<T, secrets::Error> {
    let mut failed = false;
    let mut draw = || {
        let mut bytes = [0; 32];
        failed |= getrandom::fill(&mut bytes).is_err();
        bytes
    };
    let made = make(&mut draw);
    if failed { Err(secrets::Error::Format("the operating system gives no random bytes")) } else { made }
}

impl Render for Report {
    fn render(&self, _: &Screen) -> String {
        let thing = match &self.var {
            Some(var) => format!("{var} in {}", self.file.display()),
            None => self.file.display().to_string(),
        };
        Deed { verb: "change", past: "changed", thing }.sentence(self.changed, self.check)
    }
}
