//! `meshctl key preview`.

use api::key::{Access, Opening, PREVIEW, Preview, Previewed};
use ident::{AuthKeyId, Tag};

use crate::talk::{Answer, Context, Failure, Render, Screen, Table, join};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl key preview --role server
  meshctl key preview --key 3
  meshctl key preview --tag tag:web --tag tag:ci

Says what the policy in force gives to devices that join with such a key, and makes none.")]
#[group(required = true, multiple = false)]
pub struct Args {
    /// A key of this role
    #[arg(long)]
    role: Option<String>,
    /// This key, by its id
    #[arg(long, value_name = "ID")]
    key: Option<AuthKeyId>,
    /// A key with these tags
    #[arg(long = "tag", value_name = "TAG")]
    tags: Option<Vec<Tag>>,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let Args { role, key, tags } = args;
    Answer::of(context, &context.read(&PREVIEW, &[], &Preview { role, key, tags }).await?)
}

impl Render for Previewed {
    fn render(&self, screen: &Screen) -> String {
        format!("a device with {}\n{}", join(&self.tags), access(&self.access, screen))
    }
}

/// What devices may reach and who may reach them.
pub fn access(access: &Access, screen: &Screen) -> String {
    let mut text = String::new();
    let mut section = |title: &str, openings: &[Opening], none: &str| {
        if openings.is_empty() {
            return text.push_str(&format!("\n{none}\n"));
        }
        let mut table = Table::new(["  PEER", "PORTS", "PROTOCOL"], "");
        for o in openings {
            table.row([format!("  {}", o.peer), o.ports.clone(), o.proto.clone()]);
        }
        text.push_str(&format!("\n{title}\n{}", table.render(screen)));
    };
    section("Its devices may reach:", &access.may_reach, "Its devices may reach nothing.");
    section("They may be reached by:", &access.reached_by, "Nothing may reach them.");
    if !access.approves.is_empty() {
        text.push_str(&format!("\nRoutes approved when they offer them: {}\n", join(&access.approves)));
    }
    text
}
