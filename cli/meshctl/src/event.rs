//! `meshctl event`: the log of everything that was changed.

mod follow;
mod list;
mod verify;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Show the newest entries
    List(list::Args),
    /// Show entries as they come
    Follow(follow::Args),
    /// Check that no entry was changed or taken out
    Verify(verify::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::List(args) => list::run(context, args).await,
            Verb::Follow(args) => follow::run(context, args).await,
            Verb::Verify(args) => verify::run(context, args).await,
        }
    }
}
