//! `meshctl dns record`: names beside those of devices.

mod delete;
mod list;
mod set;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Show all extra names
    List(list::Args),
    /// Give an extra name its addresses
    Set(set::Args),
    /// Forget an extra name
    Delete(delete::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::List(args) => list::run(context, args).await,
            Verb::Set(args) => set::run(context, args).await,
            Verb::Delete(args) => delete::run(context, args).await,
        }
    }
}
