//! `meshctl node delete`.

use api::node::DELETE;

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl node delete web-1
  meshctl node delete 5 --check")]
pub struct Args {
    /// Name, full name or id
    node: String,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let change = context.write(&DELETE, &[&args.node], &(), args.check).await?;
    let node = &change.outcome.node;
    let thing = format!("node {} ({})", node.name, node.id);
    Answer::of(context, &Done::new(change, "delete", "deleted", thing))
}
