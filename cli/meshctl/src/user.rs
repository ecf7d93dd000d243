//! `meshctl user`: people who are responsible for devices.

mod create;
mod delete;
mod list;
mod rename;
mod show;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Make a person known
    Create(create::Args),
    /// Show all people
    List(list::Args),
    /// Show one person
    Show(show::Args),
    /// Give a person another login
    Rename(rename::Args),
    /// Forget a person who is responsible for nothing
    Delete(delete::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Create(args) => create::run(context, args).await,
            Verb::List(args) => list::run(context, args).await,
            Verb::Show(args) => show::run(context, args).await,
            Verb::Rename(args) => rename::run(context, args).await,
            Verb::Delete(args) => delete::run(context, args).await,
        }
    }
}
