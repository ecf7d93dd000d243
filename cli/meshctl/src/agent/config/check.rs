//! `meshctl agent config`.

use std::path::PathBuf;

use serde::Serialize;

use super::{Config, PLACE};
use crate::talk::{Answer, Context, Failure, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl agent config
  meshctl agent config --config /etc/meshctl-agent/agent.yaml --json

Ends with 2 and says what is wrong when the agent could not run with it.")]
pub struct Args {
    /// The agent's configuration [default: /etc/meshctl-agent/agent.yaml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What the agent would do.
#[derive(Serialize)]
struct Told {
    file: PathBuf,
    every_seconds: u64,
    files: usize,
    joins_again: bool,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let config = Config::load(args.config.as_deref())?;
    config.trust()?;
    let told = Told {
        file: args.config.unwrap_or_else(|| PLACE.into()),
        every_seconds: config.every_seconds,
        files: config.files.len(),
        joins_again: config.recovery.is_some(),
    };
    Answer::of(context, &told)
}

impl Render for Told {
    fn render(&self, _: &Screen) -> String {
        let again = if self.joins_again { "on the operator's signed word" } else { "never by itself" };
        let Self { file, every_seconds, files, .. } = self;
        format!("{}: every {every_seconds} s, {files} files; joins again {again}\n", file.display())
    }
}
