//! `meshctl man`.

use std::{fs, io, path::PathBuf};

use clap::CommandFactory;
use serde::Serialize;

use crate::talk::{Answer, Context, Failure, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl man /usr/local/share/man/man1
  meshctl man ./man")]
pub struct Args {
    /// Folder for the pages; made when it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Serialize)]
struct Pages {
    folder: PathBuf,
    pages: Vec<String>,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let pages = write(&args.folder)
        .map_err(|e| Failure::failed(format!("cannot write pages to {}: {e}", args.folder.display())))?;
    Answer::of(context, &Pages { folder: args.folder, pages })
}

fn write(folder: &PathBuf) -> io::Result<Vec<String>> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(crate::Cli::command(), folder)?;
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("meshctl") && name.ends_with(".1") {
            pages.push(name);
        }
    }
    pages.sort();
    Ok(pages)
}

impl Render for Pages {
    fn render(&self, _: &Screen) -> String {
        format!("wrote {} pages to {}\n", self.pages.len(), self.folder.display())
    }
}
