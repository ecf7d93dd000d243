//! `meshctl dns record delete`.

use api::dns::DELETE_RECORD;

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl dns record delete printer
  meshctl dns record delete intranet.corp.example.com --check")]
pub struct Args {
    /// Name; one without a dot is in the tailnet's domain
    name: String,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let change = context.write(&DELETE_RECORD, &[&args.name], &(), args.check).await?;
    Answer::of(context, &Done::new(change, "delete", "deleted", format!("record {}", args.name)))
}
