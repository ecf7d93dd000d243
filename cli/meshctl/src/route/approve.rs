//! `meshctl route approve`.

use api::route::APPROVE;

use super::Chosen;
use crate::talk::{Answer, Context, Done, Failure, join};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl route approve office-router 192.168.1.0/24
  meshctl route approve gateway exit --check")]
pub struct Args {
    #[command(flatten)]
    chosen: Chosen,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let choice = args.chosen.choice();
    let thing = format!("{} at node {}", join(&choice.prefixes), choice.node);
    let change = context.write(&APPROVE, &[], &choice, args.chosen.check).await?;
    Answer::of(context, &Done::new(change, "approve", "approved", thing))
}
