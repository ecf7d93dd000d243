//! `meshctl key list`.

use api::key::{Key, Keys, LIST};

use crate::talk::{Answer, Context, Failure, Render, Screen, Table, ago, join};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl key list
  meshctl key list --json | jq '.keys[] | select(.revoked == null) | .id'")]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<Answer, Failure> {
    Answer::of(context, &context.read(&LIST, &[], &()).await?)
}

impl Render for Keys {
    fn render(&self, screen: &Screen) -> String {
        let headings = ["ID", "KEY", "ROLE", "TAGS", "USER", "KIND", "USED", "STATE"];
        let mut table = Table::new(headings, "no keys");
        for k in &self.keys {
            table.row([
                k.id.to_string(),
                k.masked.clone(),
                k.role.clone(),
                join(&k.tags),
                join(&k.user),
                kind(k),
                k.used_count.to_string(),
                state(k, screen),
            ]);
        }
        table.render(screen)
    }
}

fn kind(key: &Key) -> String {
    let uses = if key.reusable { "reusable" } else { "single use" };
    if key.ephemeral { format!("{uses}, ephemeral") } else { uses.to_owned() }
}

fn state(key: &Key, screen: &Screen) -> String {
    match key.revoked {
        Some(at) => format!("revoked {}", ago(screen.now, at)),
        None if key.expires <= screen.now => format!("expired {}", ago(screen.now, key.expires)),
        None if !key.reusable && key.used_count > 0 => "used".to_owned(),
        None => format!("expires {}", ago(screen.now, key.expires)),
    }
}
