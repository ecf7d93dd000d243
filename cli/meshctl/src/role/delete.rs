//! `meshctl role delete`.

use api::role::DELETE;

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl role delete ci
  meshctl role delete ci --check")]
pub struct Args {
    /// Name
    role: String,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let change = context.write(&DELETE, &[&args.role], &(), args.check).await?;
    Answer::of(context, &Done::new(change, "delete", "deleted", format!("role {}", args.role)))
}
