//! `meshctl apikey`: credentials of the admin API.

mod create;
mod list;
mod revoke;

use clap::Subcommand;

use crate::{
    key::verify,
    talk::{Answer, Context, Failure},
};

#[derive(Subcommand)]
pub enum Verb {
    /// Make a credential
    Create(create::Args),
    /// Show all credentials, without their secrets
    List(list::Args),
    /// Void a credential at once
    Revoke(revoke::Args),
    /// Say whether a credential opens anything now
    #[command(after_help = "Examples:
  meshctl apikey verify headplane.key
  meshctl apikey verify - < headplane.key

Ends with 0 when it would, and with 1 when it would not. Looking at it does not count as a use.")]
    Verify(verify::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Create(args) => create::run(context, args).await,
            Verb::List(args) => list::run(context, args).await,
            Verb::Revoke(args) => revoke::run(context, args).await,
            Verb::Verify(args) => verify::run(context, &api::apikey::VERIFY, args).await,
        }
    }
}
