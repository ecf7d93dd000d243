//! `meshctl apikey`: credentials of the admin API.

mod create;
mod list;
mod revoke;
mod verify;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Make a credential
    Create(create::Args),
    /// Show all credentials, without their secrets
    List(list::Args),
    /// Void a credential at once
    Revoke(revoke::Args),
    /// Say whether a credential opens anything now
    Verify(verify::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Create(args) => create::run(context, args).await,
            Verb::List(args) => list::run(context, args).await,
            Verb::Revoke(args) => revoke::run(context, args).await,
            Verb::Verify(args) => verify::run(context, args).await,
        }
    }
}
