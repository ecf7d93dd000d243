//! `meshctl user rename`.

use api::user::{RENAME, Rename};

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl user rename alice alice@example.com
  meshctl user rename 3 bob --check")]
pub struct Args {
    /// Login or id
    user: String,
    /// The login from now on
    login: String,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let thing = format!("user {} to {}", args.user, args.login);
    let change = context.write(&RENAME, &[&args.user], &Rename { login: args.login }, args.check).await?;
    Answer::of(context, &Done::new(change, "rename", "renamed", thing))
}
