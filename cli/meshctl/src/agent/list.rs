//! `meshctl agent list`.

use api::agent::{Agents, LIST};

use super::judged;
use crate::talk::{Answer, Context, Failure, Render, Screen, Table, ago};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl agent list
  meshctl agent list --json")]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<Answer, Failure> {
    Answer::of(context, &context.read(&LIST, &[], &()).await?)
}

impl Render for Agents {
    fn render(&self, screen: &Screen) -> String {
        let mut table = Table::new(["NODE", "STATE", "REPORTED", "AMISS"], "no agent has ever reported");
        for agent in &self.agents {
            let seen = &agent.seen;
            let state = if seen.missed { "silent" } else { judged(seen.state).word() };
            let amiss = seen.report.checks.iter().filter(|check| check.state > api::agent::State::Pass);
            let amiss: Vec<_> = amiss.map(|check| format!("{}: {}", check.id, check.detail)).collect();
            table.row([
                agent.name.clone(),
                state.to_owned(),
                ago(screen.now, seen.received),
                amiss.join("; "),
            ]);
        }
        table.render(screen)
    }
}
