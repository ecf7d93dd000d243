//! `meshctl event verify`.

use api::event::{VERIFY, Verdict};

use crate::talk::{Answer, Context, Exit, Failure, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl event verify
  meshctl event verify --json | jq -r .head.hash

Ends with 0 when every entry fits the one before it, with 1 when one does not. Whoever can rewrite
the database can rewrite the whole chain: keep the newest hash elsewhere and compare.")]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<Answer, Failure> {
    let verdict = context.read(&VERIFY, &[], &()).await?;
    let exit = if verdict.intact { Exit::Ok } else { Exit::Failed };
    Ok(Answer::of(context, &verdict)?.exit(exit))
}

impl Render for Verdict {
    fn render(&self, _: &Screen) -> String {
        let head = self.head.as_ref().map(|h| format!("newest: {} {}\n", h.seq, h.hash)).unwrap_or_default();
        match &self.first_bad {
            Some(bad) => format!("entry {} does not fit: {}\n{head}", bad.seq, bad.reason),
            None if self.intact => format!("{} entries, all fit\n{head}", self.checked),
            None => format!("the log is not intact\n{head}"),
        }
    }
}
