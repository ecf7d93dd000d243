//! `meshctl lab`: a mesh in network namespaces of this machine, and the stories that prove it.

mod down;
mod exec;
mod place;
mod progress;
mod report;
mod test;
mod up;

use clap::Subcommand;

use crate::talk::{Answer, Context, Failure};

#[derive(Subcommand)]
pub enum Verb {
    /// Build a lab: a control server and three clients on two networks
    Up(up::Args),
    /// Tell the acceptance stories on a lab that is up
    Test(test::Args),
    /// Run a command on a host of a lab, or open a shell there
    Exec(exec::Args),
    /// Remove a lab with all that runs on it
    Down(down::Args),
}

impl Verb {
    /// Building and telling block this thread, which nothing else needs.
    pub fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Verb::Up(args) => up::run(context, args),
            Verb::Test(args) => test::run(context, args),
            Verb::Exec(args) => exec::run(context, args),
            Verb::Down(args) => down::run(context, args),
        }
    }
}
