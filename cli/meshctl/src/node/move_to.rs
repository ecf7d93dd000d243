//! `meshctl node move`.

use api::node::{MOVE, Move};

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl node move laptop --user alice
  meshctl node move 5 --user alice --check

The device keeps id, name and addresses. Tags that it had are gone, and its key expires like that of
every device of a person. `meshctl node tag` does the opposite.")]
pub struct Args {
    /// Name, full name or id
    node: String,
    /// The person whose device it is from now on
    #[arg(long, value_name = "LOGIN")]
    user: String,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let thing = format!("node {} to {}", args.node, args.user);
    let change = context.write(&MOVE, &[&args.node], &Move { user: args.user }, args.check).await?;
    Answer::of(context, &Done::new(change, "move", "moved", thing))
}
