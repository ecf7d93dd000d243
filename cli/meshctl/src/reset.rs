//! `meshctl reset`: nothing is wiped before it is written down and those whom it concerns were told.

mod notify;
mod plan;
mod run;
mod snapshot;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

pub use snapshot::{Mesh, Plan};

#[derive(Subcommand)]
pub enum Verb {
    /// Write down what will be lost, and tell clients and owners
    Plan(plan::Args),
    /// Put an empty server in the place of a stopped one
    Run(run::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Plan(args) => plan::run(context, args).await,
            Verb::Run(args) => run::run(context, args),
        }
    }
}
