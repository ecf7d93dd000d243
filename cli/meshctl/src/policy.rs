//! `meshctl policy`: who may reach what.

mod check;
mod compile;
mod get;
mod set;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Print the policy in force
    Get(get::Args),
    /// Put a policy in force
    Set(set::Args),
    /// Look for mistakes in a policy
    Check(check::Args),
    /// Say what policies would tell every node, without a server
    Compile(compile::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Get(args) => get::run(context, args).await,
            Verb::Set(args) => set::run(context, args).await,
            Verb::Check(args) => check::run(context, args).await,
            Verb::Compile(args) => compile::run(context, args),
        }
    }
}
