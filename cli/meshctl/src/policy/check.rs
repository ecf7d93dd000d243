//! `meshctl policy check`.

use std::path::PathBuf;

use api::policy::{CHECK, Text, Verdict};

use crate::talk::{Answer, Context, Exit, Failure, Render, Screen, read_text, words};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl policy check policy.hujson
  meshctl policy check - --json < policy.hujson

Ends with 0 when the policy could be put in force, with 1 when it has mistakes.")]
pub struct Args {
    /// HuJSON file, `-` for standard input
    file: PathBuf,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let input = Text { policy: read_text(&args.file)? };
    let verdict = context.read(&CHECK, &[], &input).await?;
    let exit = if verdict.valid { Exit::Ok } else { Exit::Failed };
    Ok(Answer::of(context, &verdict)?.exit(exit))
}

impl Render for Verdict {
    fn render(&self, _: &Screen) -> String {
        if self.valid {
            return "the policy is valid\n".to_owned();
        }
        self.errors.iter().map(|m| words(m) + "\n").collect()
    }
}
