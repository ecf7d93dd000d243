//! `meshctl policy rollback`.

use api::policy::{Edit, GET, SET, VERSION};

use super::set::Wish;
use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl policy rollback 7 --check
  meshctl policy rollback 7 --message 'the new rules broke the backup'

The text of that version becomes a new version: nothing is taken out of the history. It is checked
like every policy: where it gives somebody more than the one in force, --accept-widening must say
that this is meant.")]
pub struct Args {
    /// Its number, as `meshctl policy history` shows it
    #[arg(value_name = "VERSION")]
    number: u64,
    #[command(flatten)]
    edit: Wish,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let Wish { message, accept_widening } = args.edit;
    let past = context.read(&VERSION, &[&args.number.to_string()], &()).await?;
    let now = context.read(&GET, &[], &()).await?;
    let message = message.or_else(|| Some(format!("back to version {}", args.number)));
    let edit = Edit { policy: past.policy, message, accept_widening, if_match: Some(now.etag) };
    let change = context.write(&SET, &[], &edit, args.check).await?;
    let thing = format!("the policy of version {}", args.number);
    Answer::of(context, &Done::new(change, "put in force", "in force:", thing))
}
