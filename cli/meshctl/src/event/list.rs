//! `meshctl event list`.

use api::event::{Events, LIST, Query};

use crate::talk::{Answer, Context, Failure, Render, Screen, Table, actor};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl event list --limit 20
  meshctl event list --subject node:5
  meshctl event list --kind call_refused --actor apikey:3
  meshctl event list --after 120 --json | jq '.events[].kind'

Of a machine's key the beginning is shown; --json has all of it.")]
pub struct Args {
    /// How many entries at most
    #[arg(long, value_name = "N", default_value_t = Query::LIMIT)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=Query::MOST))]
    limit: u64,
    /// The first ones behind this number instead of the newest
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// Only entries of this kind, such as node_registered
    #[arg(long)]
    kind: Option<String>,
    /// Only entries about this, such as node:5 or role:server
    #[arg(long)]
    subject: Option<String>,
    /// Only entries by this one, such as apikey:3, node:5 or system
    #[arg(long)]
    actor: Option<String>,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let Args { limit, after, kind, subject, actor } = args;
    let query = Query { limit: Some(limit), after, kind, subject, actor };
    Answer::of(context, &context.read(&LIST, &[], &query).await?)
}

impl Render for Events {
    fn render(&self, screen: &Screen) -> String {
        let mut table = Table::new(["SEQ", "AT", "KIND", "SUBJECT", "ACTOR", "SOURCE"], "no events");
        for e in &self.events {
            let at = e.at.strftime("%F %T").to_string();
            table.row([
                e.seq.to_string(),
                at,
                e.kind.clone(),
                e.subject.clone(),
                actor(&e.actor),
                e.source.clone(),
            ]);
        }
        table.render(screen)
    }
}
