//! `meshctl relay`: a relay on its own, away from its control server.

mod map;
mod run;
mod settings;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Run a relay until it is told to stop
    Run(run::Args),
    /// Print what the control server has to tell its clients of a relay
    Map(map::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Run(args) => run::run(context, args).await,
            Verb::Map(args) => map::run(context, args),
        }
    }
}
