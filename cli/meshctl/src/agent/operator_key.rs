//! `meshctl agent operator-key`.

use std::path::PathBuf;

use serde::Serialize;

use super::instruction::Signer;
use crate::talk::{Answer, Check, Context, Failure, Render, Screen, SecretFile, read_secret};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl agent operator-key --out operator.key --check
  meshctl agent operator-key --out operator.key

Writes the private key into FILE (0600), which belongs into the vault, and prints the public one,
which the configuration of agents names as recovery.operator_key. A key that is there already stays,
and its public half is printed.")]
pub struct Args {
    /// Where to write the private key (0600)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    check: Check,
}

/// A key.
#[derive(Serialize)]
struct Made {
    changed: bool,
    check: bool,
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_key: Option<String>,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let Args { out, check } = args;
    let check = check.check;
    let public = |signer: Signer| signer.public().map(|key| key.text()).map_err(Failure::failed);
    let made = if out.exists() {
        let signer = Signer::parse(&read_secret(&out)?);
        let signer = signer.map_err(|why| Failure::failed(format!("{}: {why}", out.display())))?;
        Made { changed: false, check, file: out, operator_key: Some(public(signer)?) }
    } else if check {
        Made { changed: true, check, file: out, operator_key: None }
    } else {
        let file = SecretFile::prepare(&out)?;
        let (signer, text) = Signer::make().map_err(Failure::failed)?;
        file.commit(text.expose())?;
        Made { changed: true, check, file: out, operator_key: Some(public(signer)?) }
    };
    Answer::of(context, &made)
}

impl Render for Made {
    fn render(&self, _: &Screen) -> String {
        match (&self.operator_key, self.changed) {
            (Some(key), true) => {
                format!("wrote {}; agents are configured with\n{key}\n", self.file.display())
            }
            (Some(key), false) => {
                format!("{} is there; agents are configured with\n{key}\n", self.file.display())
            }
            (None, _) => format!("would write {}\n", self.file.display()),
        }
    }
}
