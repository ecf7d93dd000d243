//! `meshctl node tag`.

use api::node::{TAG, Tags};
use ident::Tag;

use crate::talk::{Answer, Check, Context, Done, Failure, join};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl node tag web-1 tag:server tag:web
  meshctl node tag 5 tag:server --check")]
pub struct Args {
    /// Name, full name or id
    node: String,
    /// All tags that it has from now on
    #[arg(required = true, value_name = "TAG")]
    tags: Vec<Tag>,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let thing = format!("node {} as {}", args.node, join(&args.tags));
    let change = context.write(&TAG, &[&args.node], &Tags { tags: args.tags }, args.check).await?;
    Answer::of(context, &Done::new(change, "tag", "tagged", thing))
}
