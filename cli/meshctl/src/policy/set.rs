//! `meshctl policy set`.

use std::path::PathBuf;

use api::policy::{Edit, SET};
use policy::{MAX_BYTES, Policy};

use super::ask;
use crate::talk::{Answer, Check, Context, Done, Failure};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl policy set policy.hujson --message 'ops may log in on databases'
  meshctl policy set - --check < policy.hujson
  meshctl policy set policy.hujson --accept-widening
  meshctl policy set policy.hujson --if-match \"$(meshctl policy get --json | jq -r .etag)\"

Mistakes are named with line and column, and then nothing is changed. Whatever no rule allows is
denied.

A policy that gives anybody more than the one in force is refused, with the rules that do so, unless
--accept-widening says that it is meant. What only a tag or person could use that nobody can be yet
does not count, nor does the first policy of a server.")]
pub struct Args {
    /// HuJSON file, `-` for standard input
    file: PathBuf,
    #[command(flatten)]
    edit: Wish,
    /// Refuse when the policy in force is another one than this, as `policy get --json` names it
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
    #[command(flatten)]
    check: Check,
}

/// What goes with a policy.
#[derive(clap::Args)]
pub struct Wish {
    /// Why, for those who read the history
    #[arg(long, short, value_name = "TEXT")]
    pub message: Option<String>,
    /// Somebody gains something by this policy, and that is meant
    #[arg(long)]
    pub accept_widening: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let Wish { message, accept_widening } = args.edit;
    let policy = ask::read(&args.file)?;
    // A server reads no more than a policy of the longest kind, and so could not say what is wrong.
    if let (true, Err(errors)) = (policy.len() > MAX_BYTES, Policy::parse(&policy)) {
        return Err(ask::mistaken(&args.file.display().to_string(), &policy, &errors));
    }
    let edit = Edit { policy, message, accept_widening, if_match: args.if_match };
    let change = context.write(&SET, &[], &edit, args.check).await?;
    let thing = format!("the policy of {}", args.file.display());
    Answer::of(context, &Done::new(change, "put in force", "in force:", thing))
}
