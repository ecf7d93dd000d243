//! `meshctl secret list`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use secrets::{Entry, Format};
use serde::Serialize;

use super::{keys::KeyArgs, place, words};
use crate::talk::{Answer, Context, Failure, Render, Screen, Table, join};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl secret list group_vars/all/vault.yml
  meshctl secret list inventories --json
  meshctl secret list secrets.vault.yml --open --vault-password-file .pass

No value is shown. Folders are searched for files that hold something encrypted. What a file that is
encrypted as a whole holds is shown with --open, which needs its key.")]
pub struct Args {
    /// Files and folders [default: .]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// File to look at, as other verbs name it
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Look inside files that are encrypted as a whole
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

#[derive(Serialize)]
struct Listed {
    files: Vec<File>,
}

#[derive(Serialize)]
struct File {
    file: PathBuf,
    format: Format,
    values: Vec<Entry>,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let mut files = Vec::new();
    let mut paths: Vec<_> = args.paths.iter().chain(&args.file).cloned().collect();
    if paths.is_empty() {
        paths.push(PathBuf::from("."));
    }
    for path in &paths {
        if path.is_dir() {
            walk(path, &mut |p| files.extend(found(context, &args, p)))?;
        } else {
            files.push(look(context, &args, path)?);
        }
    }
    Answer::of(context, &Listed { files })
}

/// A file of a folder, when it holds something encrypted; one that does and cannot be read is told.
fn found(context: &Context, args: &Args, path: &Path) -> Option<File> {
    match look(context, args, path) {
        Ok(file) => file.values.iter().any(|v| v.encrypted).then_some(file),
        Err(e) => {
            let bytes = place::read(path).unwrap_or_default();
            let marks: [&[u8]; 3] = [b"$ANSIBLE_VAULT;", b"ENC[AES256_GCM,", b"-----BEGIN AGE"];
            if marks.iter().any(|m| bytes.windows(m.len()).any(|w| w == *m)) {
                context.screen().note(&e.detail);
            }
            None
        }
    }
}

fn look(context: &Context, args: &Args, path: &Path) -> Result<File, Failure> {
    let bytes = place::read(path)?;
    let format = Format::of(&bytes).map_err(|e| words::failure(path, &e))?;
    let here = Path::new("");
    let keys = args.open.then(|| args.keys.gather(context, format, here)).transpose()?;
    let values = secrets::list(&bytes, keys.as_ref()).map_err(|e| words::failure(path, &e))?;
    Ok(File { file: path.to_owned(), format, values })
}

/// Every plain file below a folder in order of name; links and hidden folders are left out.
fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) -> Result<(), Failure> {
    let io = |e: std::io::Error| words::unreadable(folder, &e);
    let mut entries: Vec<_> = fs::read_dir(folder).map_err(io)?.collect::<Result<_, _>>().map_err(io)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(io)?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if kind.is_dir() && !hidden {
            walk(&entry.path(), visit)?;
        } else if kind.is_file() {
            visit(&entry.path());
        }
    }
    Ok(())
}

impl Render for Listed {
    fn render(&self, screen: &Screen) -> String {
        let mut table = Table::new(["FILE", "FORMAT", "VALUE", "ENCRYPTED", "KEY"], "no secrets");
        for file in &self.files {
            for value in &file.values {
                table.row([
                    file.file.display().to_string(),
                    word(file.format).to_owned(),
                    value.var.clone().unwrap_or_else(|| "(the whole file)".to_owned()),
                    if value.encrypted { "yes" } else { "no" }.to_owned(),
                    join(&value.keys),
                ]);
            }
        }
        table.render(screen)
    }
}

/// A format as people call it.
pub fn word(format: Format) -> &'static str {
    match format {
        Format::VaultFile => "vault (file)",
        Format::VaultInline => "vault (values)",
        Format::Sops => "sops",
        Format::Age => "age",
    }
}
