//! `meshctl node list`.

use api::node::{LIST, Node, Nodes};

use crate::talk::{Answer, Context, Failure, Render, Screen, Table, ago, join};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl node list
  meshctl node list --json | jq -r '.nodes[] | select(.online | not) | .name'")]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<Answer, Failure> {
    Answer::of(context, &context.read(&LIST, &[], &()).await?)
}

impl Render for Nodes {
    fn render(&self, screen: &Screen) -> String {
        let headings = ["ID", "NAME", "IPV4", "TAGS", "USER", "STATE", "EXPIRES"];
        let mut table = Table::new(headings, "no nodes");
        for n in &self.nodes {
            table.row([
                n.id.to_string(),
                n.name.clone(),
                n.ipv4.to_string(),
                join(&n.tags),
                join(&n.user),
                state(n, screen),
                n.expires.map_or("never".to_owned(), |e| ago(screen.now, e)),
            ]);
        }
        table.render(screen)
    }
}

/// What matters most about a device right now.
pub(super) fn state(node: &Node, screen: &Screen) -> String {
    match node {
        Node { logged_out: true, .. } => "logged out".to_owned(),
        Node { expired: true, .. } => "expired".to_owned(),
        Node { online: true, .. } => "online".to_owned(),
        Node { last_seen: Some(at), .. } => format!("offline, seen {}", ago(screen.now, *at)),
        _ => "never connected".to_owned(),
    }
}
