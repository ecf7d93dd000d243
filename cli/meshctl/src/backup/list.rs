//! `meshctl backup list`.

use std::path::PathBuf;

use serde::Serialize;

use super::receipt::{Receipt, in_folder};
use crate::talk::{Answer, Context, Failure, Render, Screen, Table, ago};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl backup list /var/backups/mesh
  meshctl backup list /var/backups/mesh --json | jq -r '.backups[-1].file'

Shows what the receipts say, the newest last; nothing is decrypted. A backup without a receipt
gets one by `meshctl backup verify`.")]
pub struct Args {
    /// The folder
    folder: PathBuf,
}

#[derive(Serialize)]
struct Backups {
    backups: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    file: PathBuf,
    receipt: Option<Receipt>,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let found = in_folder(&args.folder)?.into_iter();
    let backups = found.map(|(file, receipt)| Entry { file, receipt }).collect();
    Answer::of(context, &Backups { backups })
}

impl Render for Backups {
    fn render(&self, screen: &Screen) -> String {
        let mut table = Table::new(["FILE", "AS OF", "KIB", "LOG", "DEVICES", "VERIFIED"], "no backups");
        for Entry { file, receipt } in &self.backups {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(r) = receipt else {
                let unknown = || "?".to_owned();
                table.row([name, unknown(), unknown(), unknown(), unknown(), "never".to_owned()]);
                continue;
            };
            let verified = r.verified.map_or("never".to_owned(), |at| ago(screen.now, at));
            let (log, nodes) = (r.proof.head.seq.to_string(), r.proof.nodes.to_string());
            table.row([
                name,
                ago(screen.now, r.made),
                r.bytes.div_ceil(1024).to_string(),
                log,
                nodes,
                verified,
            ]);
        }
        table.render(screen)
    }
}
