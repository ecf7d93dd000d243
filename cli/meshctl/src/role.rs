//! `meshctl role`: what devices may be.

mod apply;
mod delete;
pub mod file;
mod list;
mod set;
mod show;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Show all roles
    List(list::Args),
    /// Show one role
    Show(show::Args),
    /// Make a role or change it
    Set(set::Args),
    /// Forget a role; keys that were made from it stay
    Delete(delete::Args),
    /// Make the roles be as a file says
    Apply(apply::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::List(args) => list::run(context, args).await,
            Verb::Show(args) => show::run(context, args).await,
            Verb::Set(args) => set::run(context, args).await,
            Verb::Delete(args) => delete::run(context, args).await,
            Verb::Apply(args) => apply::run(context, args).await,
        }
    }
}
