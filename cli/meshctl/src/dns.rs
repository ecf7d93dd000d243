//! `meshctl dns`: who is asked for which names, and names beside those of devices.

mod record;
mod set;
mod show;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Show what clients are told
    Show(show::Args),
    /// Change who is asked for which names
    Set(set::Args),
    /// Names beside those of devices
    #[command(subcommand)]
    Record(record::Verb),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Show(args) => show::run(context, args).await,
            Verb::Set(args) => set::run(context, args).await,
            Verb::Record(verb) => verb.run(context).await,
        }
    }
}
