//! `meshctl user create`.

use api::user::{CREATE, Create};

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl user create alice
  meshctl user create alice@example.com --display-name 'Alice Example'")]
pub struct Args {
    /// Unique name: `alice` or `alice@example.com`
    login: String,
    /// What people read [default: the login]
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let thing = format!("user {}", args.login);
    let input = Create { login: args.login, display_name: args.display_name };
    let change = context.write(&CREATE, &[], &input, args.check).await?;
    Answer::of(context, &Done::new(change, "create", "created", thing))
}
