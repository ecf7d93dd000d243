//! `meshctl dns record list`.

use api::dns::{LIST, Records};

use crate::talk::{Answer, Context, Failure, Render, Screen, Table, join};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl dns record list
  meshctl dns record list --json | jq -r '.records[].name'")]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<Answer, Failure> {
    Answer::of(context, &context.read(&LIST, &[], &()).await?)
}

impl Render for Records {
    fn render(&self, screen: &Screen) -> String {
        let mut table = Table::new(["NAME", "ADDRESSES", "FROM"], "no extra records");
        for record in &self.records {
            table.row([record.name.clone(), join(&record.addresses), record.source.clone()]);
        }
        table.render(screen)
    }
}
