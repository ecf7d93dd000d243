//! `meshctl completion`.

use clap::CommandFactory;
use clap_complete::Shell;
use serde::Serialize;

use crate::talk::{Answer, Context, Failure, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl completion bash > /etc/bash_completion.d/meshctl
  meshctl completion fish > ~/.config/fish/completions/meshctl.fish")]
pub struct Args {
    /// Which shell
    shell: Shell,
}

#[derive(Serialize)]
struct Script {
    shell: String,
    script: String,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "meshctl", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Answer::of(context, &Script { shell: args.shell.to_string(), script })
}

impl Render for Script {
    fn render(&self, _: &Screen) -> String {
        self.script.clone()
    }
}
