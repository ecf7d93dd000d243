//! `meshctl recover`: from a server that lost its state to a mesh that works, step by step, as often as it takes.

mod hosts;
mod join;
mod journal;
mod rebuild;
mod restore;
mod run;
mod ssh;
mod state;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Say what would be done, and do nothing
    Plan(run::Args),
    /// Do it, as far as it goes
    Run(run::Args),
    /// Go on with one that was begun
    Resume(run::Again),
    /// Say how far it has come
    Status(run::Again),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Plan(args) => run::plan(context, args).await,
            Verb::Run(args) => run::begin(context, args).await,
            Verb::Resume(args) => run::resume(context, args).await,
            Verb::Status(args) => run::status(context, args),
        }
    }
}
