//! `meshctl agent status`.

use std::path::PathBuf;

use super::{
    config::Config,
    run::{LAST, Round},
};
use crate::talk::{Answer, Context, Exit, Failure, read_text};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl agent status
  meshctl agent status --config /etc/meshctl-agent/agent.yaml --json

Reads what the agent on this machine keeps in its state folder. Ends with 3 when that is older than
three of its rounds.")]
pub struct Args {
    /// The agent's configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let config = Config::load(args.config.as_deref())?;
    let folder = config.state_dir.ok_or_else(|| {
        Failure::failed("the agent keeps nothing on this machine").hint("set state_dir in its configuration")
    })?;
    let path = folder.join(LAST);
    let round: Round = serde_json::from_str(&read_text(&path)?)
        .map_err(|e| Failure::failed(format!("{}: {e}", path.display())))?;
    let age = context.screen().now.as_second() - round.report.at.as_second();
    let due = i64::from(round.report.every_seconds) * i64::from(api::agent::MISSED_AFTER);
    let exit = if age > due { Exit::Unknown } else { Exit::Ok };
    if age > due {
        context
            .screen()
            .note(&format!("the agent has found nothing for {age} s: systemctl status meshctl-agent"));
    }
    Ok(Answer::of(context, &round)?.exit(exit))
}
