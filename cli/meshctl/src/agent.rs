//! `meshctl agent`: the small program on a node that looks at its machine, reports, and brings it back after a reset.

mod config;
mod door;
mod instruct;
mod instruction;
mod list;
mod local;
mod look;
mod operator_key;
mod recovery;
mod report;
mod run;
mod status;

use clap::Subcommand;
use readiness::State;

use crate::talk::{Answer, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Look at this machine again and again, and report to its server
    Run(run::Args),
    /// Show what the agent on this machine found last
    Status(status::Args),
    /// Show what the agents of all devices say
    List(list::Args),
    /// Look at the agent's configuration
    Config(config::check::Args),
    /// Do the two things for the agent that need rights: fetch a token, join again on a signed instruction
    Door(door::Args),
    /// Make the key with which an operator signs instructions for a recovery
    OperatorKey(operator_key::Args),
    /// Write and sign an instruction by which machines join again after a reset
    Instruct(instruct::Args),
}

/// The one verb that stays.
#[derive(Subcommand)]
pub enum OnlyRun {
    Run(run::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Run(args) => run::run(context, args).await,
            Verb::Status(args) => status::run(context, args),
            Verb::List(args) => list::run(context, args).await,
            Verb::Config(args) => config::check::run(context, args),
            Verb::Door(args) => door::run(args).await,
            Verb::OperatorKey(args) => operator_key::run(context, args),
            Verb::Instruct(args) => instruct::run(context, args).await,
        }
    }
}

/// The state of a report as a check's.
pub fn judged(state: api::agent::State) -> State {
    match state {
        api::agent::State::Skip => State::Skip,
        api::agent::State::Pass => State::Pass,
        api::agent::State::Warn => State::Warn,
        api::agent::State::Unknown => State::Unknown,
        api::agent::State::Fail => State::Fail,
    }
}

/// A check's state as a report's.
fn told(state: State) -> api::agent::State {
    match state {
        State::Skip => api::agent::State::Skip,
        State::Pass => api::agent::State::Pass,
        State::Warn => api::agent::State::Warn,
        State::Unknown => api::agent::State::Unknown,
        State::Fail => api::agent::State::Fail,
    }
}
