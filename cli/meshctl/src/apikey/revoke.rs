//! `meshctl apikey revoke`.

use api::apikey::REVOKE;
use ident::ApiKeyId;

use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl apikey revoke 2
  meshctl apikey revoke 2 --check")]
pub struct Args {
    /// Id; `meshctl apikey list` shows them
    id: ApiKeyId,
    #[command(flatten)]
    check: Check,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let change = context.write(&REVOKE, &[&args.id.to_string()], &(), args.check).await?;
    let thing = format!("API key {}", args.id);
    Answer::of(context, &Done::new(change, "revoke", "revoked", thing))
}
