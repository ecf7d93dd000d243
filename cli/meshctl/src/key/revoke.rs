//! `meshctl key revoke`.

use api::key::REVOKE;
use ident::AuthKeyId;

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl key revoke 3
  meshctl key revoke 3 --check")]
pub struct Args {
    /// Id; `meshctl key list` shows them
    id: AuthKeyId,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let change = context.write(&REVOKE, &[&args.id.to_string()], &(), args.check).await?;
    let thing = format!("key {} of role {}", args.id, change.outcome.key.role);
    Answer::of(context, &Done::new(change, "revoke", "revoked", thing))
}
