//! `meshctl server`: run one, ask how one is. The only room that knows the server itself.

mod config;
mod key;
mod launch;
mod notice;
mod notify;
pub mod quickstart;
mod reload;
mod run;
mod status;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

pub use config::told;
pub use launch::{LogFormat, StopSignals, log, mistaken};

#[derive(Subcommand)]
pub enum Verb {
    /// Run a server until it is told to stop
    Run(run::Args),
    /// Have the server read its configuration again
    Reload(reload::Args),
    /// Say how the server is
    Status(status::Args),
    /// Tell connected devices a line that their clients show
    Notice(notice::Args),
    /// Look at the server's Noise key, or rotate it
    #[command(subcommand)]
    Key(key::Verb),
    /// Look at a configuration without running it
    #[command(subcommand)]
    Config(config::Verb),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Run(args) => run::run(context, args).await,
            Verb::Reload(args) => reload::run(context, args).await,
            Verb::Status(args) => status::run(context, args).await,
            Verb::Notice(args) => notice::run(context, args).await,
            Verb::Key(verb) => verb.run(context).await,
            Verb::Config(verb) => verb.run(context),
        }
    }
}
