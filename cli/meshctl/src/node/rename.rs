//! `meshctl node rename`.

use api::node::{RENAME, Rename};

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl node rename web-1 shop
  meshctl node rename 5 shop --check")]
pub struct Args {
    /// Name, full name or id
    node: String,
    /// The name from now on; the device's own host name no longer changes it
    name: String,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let thing = format!("node {} to {}", args.node, args.name);
    let change = context.write(&RENAME, &[&args.node], &Rename { name: args.name }, args.check).await?;
    Answer::of(context, &Done::new(change, "rename", "renamed", thing))
}
