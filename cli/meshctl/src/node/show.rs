//! `meshctl node show`.

use api::node::{One, SHOW};

use super::list::state;
use crate::{
    agent::judged,
    talk::{Answer, Context, Failure, Fields, Render, Screen, Table, ago, join},
};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl node show web-1
  meshctl node show 5 --json")]
pub struct Args {
    /// Name, full name or id
    node: String,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    Answer::of(context, &context.read(&SHOW, &[&args.node], &()).await?)
}

impl Render for One {
    fn render(&self, screen: &Screen) -> String {
        let n = &self.node;
        let expires = n.expires.map_or("never".to_owned(), |e| e.to_string());
        let fields = Fields::default()
            .add("id", n.id)
            .add("name", &n.name)
            .add("full name", &n.fqdn)
            .add("state", state(n, screen))
            .add("addresses", format!("{}, {}", n.ipv4, n.ipv6))
            .add("tags", join(&n.tags))
            .add("user", join(&n.user))
            .add("joined", n.created)
            .add("joined with key", join(n.key_id))
            .add("key expires", expires)
            .add("ephemeral", n.ephemeral)
            .add("client", format!("{} {}", n.os, n.client_version).trim())
            .add("routes offered", join(&n.advertised_routes))
            .add("routes approved", join(&n.approved_routes))
            .add("routes served", join(&n.primary_routes))
            .add("endpoints", join(&n.endpoints))
            .add("home relay", n.home_derp)
            .add("machine key", n.machine_key)
            .add("node key", n.node_key);
        let Some(seen) = &self.agent else { return fields.render(screen) };
        let state = if seen.missed { "silent" } else { judged(seen.state).word() };
        let mut text = fields
            .add("agent", format!("{state}, reported {}", ago(screen.now, seen.received)))
            .add_if("notice", seen.acknowledged.map(|at| format!("acknowledged at {at}")))
            .add_if("recovery", seen.report.recovery.as_ref())
            .render(screen);
        let mut table = Table::new(["CHECK", "STATE", "FOUND"], "its agent checks nothing");
        for check in &seen.report.checks {
            table.row([check.id.clone(), judged(check.state).word().to_owned(), check.detail.clone()]);
        }
        text.push_str(&format!("\n{}", table.render(screen)));
        text
    }
}
