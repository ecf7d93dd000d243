//! `meshctl policy`: who may reach what.

mod ask;
mod check;
mod compile;
mod diff;
mod explain;
mod get;
mod history;
mod matrix;
mod rollback;
mod set;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Print the policy in force
    Get(get::Args),
    /// Put a policy in force
    Set(set::Args),
    /// Look for mistakes in a policy, and run its own tests
    Check(check::Args),
    /// Say what policies would tell every node, without a server
    Compile(compile::Args),
    /// Say who gains and who loses what between two policies
    Diff(diff::Args),
    /// Say why somebody may reach something, or what would let them
    Explain(explain::Args),
    /// Show who reaches what, as a table or a picture
    Matrix(matrix::Args),
    /// Show the policies that were in force
    History(history::Args),
    /// Put an earlier policy in force again
    Rollback(rollback::Args),
}

impl Verb {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Get(args) => get::run(context, args).await,
            Verb::Set(args) => set::run(context, args).await,
            Verb::Check(args) => check::run(context, args).await,
            Verb::Compile(args) => compile::run(context, args),
            Verb::Diff(args) => diff::run(context, args).await,
            Verb::Explain(args) => explain::run(context, args).await,
            Verb::Matrix(args) => matrix::run(context, args).await,
            Verb::History(args) => history::run(context, args).await,
            Verb::Rollback(args) => rollback::run(context, args).await,
        }
    }
}
