//! `meshctl secret verify`.

use std::path::{Path, PathBuf};

use secrets::Format;
use serde::Serialize;

use super::{keys::KeyArgs, list::word, place, words};
use crate::talk::{Answer, Context, Exit, Failure, Render, Screen, Table};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl secret verify group_vars/all/vault.yml --vault-password-file .pass
  meshctl secret verify secrets.sops.yaml backup.age --json

Every encrypted value is opened and every seal compared. Ends with 0 when all is well, 1 when
something is not, 3 when no key is there to tell.")]
pub struct Args {
    /// Files to verify
    #[arg(required_unless_present = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// File, as other verbs name it
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
}

#[derive(Serialize)]
struct Report {
    files: Vec<Verdict>,
}

#[derive(Serialize)]
struct Verdict {
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
    /// Encrypted values that opened.
    opened: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let files = args.files.iter().chain(&args.file);
    let files: Vec<_> = files.map(|file| verdict(context, &args.keys, file)).collect();
    let errors = || files.iter().filter_map(|v| v.error.as_ref());
    let exit = match (errors().next(), errors().any(|e| e.code != "no_key")) {
        (None, _) => Exit::Ok,
        (Some(_), true) => Exit::Failed,
        (Some(_), false) => Exit::Unknown,
    };
    Ok(Answer::of(context, &Report { files })?.exit(exit))
}

fn verdict(context: &Context, keys: &KeyArgs, file: &Path) -> Verdict {
    let mut verdict = Verdict { file: file.to_owned(), format: None, opened: 0, error: None };
    match opened(context, keys, file, &mut verdict.format) {
        Ok(opened) => verdict.opened = opened,
        Err(e) => verdict.error = Some(e),
    }
    verdict
}

fn opened(
    context: &Context,
    keys: &KeyArgs,
    file: &Path,
    found: &mut Option<Format>,
) -> Result<usize, Failure> {
    let bytes = place::read(file)?;
    let complain = |e: secrets::Error| words::failure(file, &e);
    let format = Format::of(&bytes).map_err(complain)?;
    *found = Some(format);
    let keys = keys.gather(context, format, Path::new(""))?;
    secrets::verify(&bytes, &keys).map_err(complain)
}

impl Render for Report {
    fn render(&self, screen: &Screen) -> String {
        let mut table = Table::new(["FILE", "FORMAT", "OPENED", "VERDICT"], "no files");
        for v in &self.files {
            let verdict = v.error.as_ref().map_or("whole".to_owned(), |e| e.code.clone());
            let format = v.format.map(word).unwrap_or("-").to_owned();
            table.row([v.file.display().to_string(), format, v.opened.to_string(), verdict]);
        }
        let mut text = table.render(screen);
        self.files.iter().filter_map(|v| v.error.as_ref()).for_each(|e| text.push_str(&e.lines()));
        text
    }
}
