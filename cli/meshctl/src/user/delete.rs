//! `meshctl user delete`.

use api::user::DELETE;

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl user delete alice
  meshctl user delete alice --check")]
pub struct Args {
    /// Login or id
    user: String,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let change = context.write(&DELETE, &[&args.user], &(), args.check).await?;
    let thing = format!("user {}", change.outcome.user.login);
    Answer::of(context, &Done::new(change, "delete", "deleted", thing))
}
