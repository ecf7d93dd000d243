//! `meshctl role list`.

use api::role::{KeyDefaults, LIST, Roles};

use crate::talk::{Answer, Context, Failure, Render, Screen, Table, join, span};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl role list
  meshctl role list --json | jq -r '.roles[].name'")]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<Answer, Failure> {
    Answer::of(context, &context.read(&LIST, &[], &()).await?)
}

impl Render for Roles {
    fn render(&self, screen: &Screen) -> String {
        let mut table = Table::new(["ROLE", "TAGS", "KEYS", "DESCRIPTION"], "no roles");
        for r in &self.roles {
            table.row([r.name.clone(), join(&r.tags), keys(&r.key), r.description.clone()]);
        }
        table.render(screen)
    }
}

/// What the keys of a role are, in a few words.
pub(super) fn keys(key: &KeyDefaults) -> String {
    let uses = if key.reusable { "reusable" } else { "single use" };
    let ephemeral = if key.ephemeral { ", ephemeral" } else { "" };
    let devices = key.node_expiry_seconds.map(|s| format!(", devices for {}", span(s))).unwrap_or_default();
    format!("{}, {uses}{ephemeral}{devices}", span(key.expiry_seconds))
}
