//! `meshctl node expire`.

use api::node::EXPIRE;

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl node expire web-1
  meshctl node expire 5 --check")]
pub struct Args {
    /// Name, full name or id
    node: String,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let change = context.write(&EXPIRE, &[&args.node], &(), args.check).await?;
    let node = &change.outcome.node;
    let thing = format!("the key of node {} ({})", node.name, node.id);
    Answer::of(context, &Done::new(change, "expire", "expired", thing))
}
