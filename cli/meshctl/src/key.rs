//! `meshctl key`: what lets a device in.

mod create;
mod list;
mod preview;
mod revoke;
pub mod verify;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Make a key for devices with a role
    Create(create::Args),
    /// Show what devices with a key could reach, without making one
    Preview(preview::Args),
    /// Show all keys, without their secrets
    List(list::Args),
    /// Void a key; devices that it let in stay
    Revoke(revoke::Args),
    /// Say whether a key would let a device in now
    #[command(after_help = "Examples:
  meshctl key verify server.key
  meshctl key verify - < server.key

Ends with 0 when it would, and with 1 when it would not. Looking at it does not count as a use.")]
    Verify(verify::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Create(args) => create::run(context, args).await,
            Verb::Preview(args) => preview::run(context, args).await,
            Verb::List(args) => list::run(context, args).await,
            Verb::Revoke(args) => revoke::run(context, args).await,
            Verb::Verify(args) => verify::run(context, &api::key::VERIFY, args).await,
        }
    }
}
