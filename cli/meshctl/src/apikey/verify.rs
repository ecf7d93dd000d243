//! `meshctl apikey verify`.

use std::path::PathBuf;

use api::apikey::{VERIFY, Verdict};
use api::key::{Plaintext, Verify};
use serde::Serialize;

use crate::talk::{Answer, Context, Exit, Failure, Render, Screen, read_secret};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl apikey verify headplane.key
  meshctl apikey verify - < headplane.key

Ends with 0 when it would, and with 1 when it would not. Looking at it does not count as a use.")]
pub struct Args {
    /// File that holds it, `-` for standard input
    file: PathBuf,
}

#[derive(Serialize)]
struct Shown(Verdict);

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let secret = Plaintext::new(read_secret(&args.file)?.expose().clone());
    let verdict = context.read(&VERIFY, &[], &Verify { secret }).await?;
    let exit = if verdict.works { Exit::Ok } else { Exit::Failed };
    Ok(Answer::of(context, &Shown(verdict))?.exit(exit))
}

impl Render for Shown {
    fn render(&self, _: &Screen) -> String {
        let Shown(verdict) = self;
        match (&verdict.apikey, &verdict.reason) {
            (Some(one), None) => format!("API key {} works until {}\n", one.id, one.expires),
            (_, reason) => {
                format!("an API key that does not work: {}\n", reason.as_deref().unwrap_or("not known here"))
            }
        }
    }
}
