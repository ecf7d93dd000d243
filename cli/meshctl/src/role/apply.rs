//! `meshctl role apply`.

use std::path::PathBuf;

use api::{
    Changed,
    role::{APPLY, Applied, Apply, Outcome},
};
use serde::Serialize;

use super::file;
use crate::talk::{Answer, Check, Context, Failure, Render, Screen, Table, read_text};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl role apply roles.yaml
  meshctl role apply roles.yaml --prune --check

The file is YAML or JSON:
  roles:
    - name: server
      tags: [tag:server]
      description: machines in the racks
      key: {expiry: 24h, reusable: false, ephemeral: false}

All roles are applied or none; a second run changes nothing.")]
pub struct Args {
    /// File with the roles, `-` for standard input
    file: PathBuf,
    /// Forget roles that are not in the file
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    check: Check,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    change: Changed<Applied>,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let roles = file::parse(&read_text(&args.file)?)
        .map_err(|e| Failure::failed(format!("{}: {e}", args.file.display())).code("bad_file"))?;
    let change = context.write(&APPLY, &[], &Apply { roles, prune: args.prune }, args.check).await?;
    Answer::of(context, &Report { change })
}

impl Render for Report {
    fn render(&self, screen: &Screen) -> String {
        let mut table = Table::new(["ROLE", "OUTCOME"], "no roles");
        for step in &self.change.outcome.roles {
            let word = match step.outcome {
                Outcome::Created => "created",
                Outcome::Updated => "updated",
                Outcome::Unchanged => "unchanged",
                Outcome::Deleted => "deleted",
            };
            let would = self.change.check && step.outcome != Outcome::Unchanged;
            let word = if would { format!("would be {word}") } else { word.to_owned() };
            table.row([step.name.clone(), word]);
        }
        table.render(screen)
    }
}
