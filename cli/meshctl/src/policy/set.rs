//! `meshctl policy set`.

use std::path::PathBuf;

use api::policy::{SET, Text};

use crate::talk::{Answer, Check, Context, Done, Failure, read_text};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl policy set policy.hujson
  meshctl policy set - --check < policy.hujson

Mistakes are named with line and column, and then nothing is changed. Whatever no rule allows is denied.")]
pub struct Args {
    /// HuJSON file, `-` for standard input
    file: PathBuf,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let input = Text { policy: read_text(&args.file)? };
    let change = context.write(&SET, &[], &input, args.check).await?;
    let thing = format!("the policy of {}", args.file.display());
    Answer::of(context, &Done::new(change, "put in force", "in force:", thing))
}
