//! `meshctl secret get`.

use std::path::{Path, PathBuf};

use api::key::Plaintext;
use ident::Secret;
use secrets::Format;
use serde::Serialize;

use super::{keys::KeyArgs, place, words};
use crate::talk::{Answer, Context, Failure, Render, Screen, SecretFile};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl secret get --file vault.yml --var vault_headplane_api_key --vault-password-file .pass
  meshctl secret get --file secrets.sops.yaml --var headplane.api_key --out api.key
  meshctl secret get --file backup.age --age-identity ~/.config/age/keys.txt --out backup.key")]
pub struct Args {
    /// File that holds the secret
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Which value: a top-level key, or a path like a.b[0]
    #[arg(long, value_name = "NAME")]
    var: Option<String>,
    /// Write it to this file (0600) instead of the screen
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
}

#[derive(Serialize)]
struct Told {
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    var: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Plaintext>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<PathBuf>,
}

/// One value, as text in one line, without showing it to anybody.
pub fn peek(
    context: &Context,
    file: &Path,
    var: Option<&str>,
    keys: &KeyArgs,
) -> Result<Secret<String>, Failure> {
    let bytes = place::read(file)?;
    let complain = |e: secrets::Error| words::failure(file, &e);
    let format = Format::of(&bytes).map_err(complain)?;
    let keys = keys.gather(context, format, Path::new(""))?;
    let secret = secrets::get(&bytes, var, &keys).map_err(complain)?;
    let text = std::str::from_utf8(secret.expose());
    text.map(|text| Secret::new(text.trim().to_owned())).map_err(|_| {
        Failure::failed(format!("{}: what it holds is not text", file.display())).code("not_text")
    })
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let bytes = place::read(&args.file)?;
    let complain = |e: secrets::Error| words::failure(&args.file, &e);
    let format = Format::of(&bytes).map_err(complain)?;
    let keys = args.keys.gather(context, format, Path::new(""))?;
    let secret = secrets::get(&bytes, args.var.as_deref(), &keys).map_err(complain)?;
    let text = std::str::from_utf8(secret.expose()).map_err(|_| {
        Failure::failed(format!("{}: what it holds is not text", args.file.display())).code("not_text")
    })?;
    let mut told = Told { file: args.file.clone(), var: args.var, value: None, out: args.out };
    match &told.out {
        Some(out) => SecretFile::prepare(out)?.commit(text.strip_suffix('\n').unwrap_or(text))?,
        None => told.value = Some(Plaintext::new(text.to_owned())),
    }
    Answer::of(context, &told)
}

impl Render for Told {
    fn render(&self, _: &Screen) -> String {
        match (&self.value, &self.out) {
            (Some(value), _) => format!("{}\n", value.expose().strip_suffix('\n').unwrap_or(value.expose())),
            (None, Some(out)) => format!("written to {}\n", out.display()),
            (None, None) => String::new(),
        }
    }
}
