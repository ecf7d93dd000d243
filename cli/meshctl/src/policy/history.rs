//! `meshctl policy history`.

use api::policy::{HISTORY, History, Page, Past, VERSION};
use serde::Serialize;
use similar::TextDiff;

use crate::talk::{Answer, Context, Failure, Render, Screen, Table, actor};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl policy history
  meshctl policy history 7
  meshctl policy history 7 --json | jq -r .policy

With a number: that version, and what it changed in the text. `meshctl policy diff version:6
version:7` says what it changed in effect.")]
pub struct Args {
    /// Show this version instead of the list
    #[arg(value_name = "VERSION")]
    number: Option<u64>,
    /// How many versions at most
    #[arg(long, value_name = "N", default_value_t = Page::LIMIT, conflicts_with = "number")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=Page::MOST))]
    limit: u64,
    /// Only versions before this one
    #[arg(long, value_name = "VERSION", conflicts_with = "number")]
    before: Option<u64>,
}

/// A version with what it changed.
#[derive(Serialize)]
struct Change {
    #[serde(flatten)]
    past: Past,
    /// Unified; empty for the first version.
    diff: String,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let Some(number) = args.number else {
        let page = Page { limit: Some(args.limit), before: args.before };
        return Answer::of(context, &context.read(&HISTORY, &[], &page).await?);
    };
    let past = context.read(&VERSION, &[&number.to_string()], &()).await?;
    let before = match number {
        0 | 1 => String::new(),
        _ => context.read(&VERSION, &[&(number - 1).to_string()], &()).await?.policy,
    };
    let texts = TextDiff::from_lines(&before, &past.policy);
    let names = (format!("version {}", number.saturating_sub(1)), format!("version {number}"));
    let diff = texts.unified_diff().context_radius(3).header(&names.0, &names.1).to_string();
    Answer::of(context, &Change { past, diff })
}

impl Render for History {
    fn render(&self, screen: &Screen) -> String {
        let mut table =
            Table::new(["VERSION", "AT", "AUTHOR", "SOURCE", "MESSAGE"], "no policy was ever set");
        for v in &self.versions {
            let at = v.at.strftime("%F %T").to_string();
            table.row([v.version.to_string(), at, actor(&v.author), v.source.clone(), v.message.clone()]);
        }
        table.render(screen)
    }
}

impl Render for Change {
    fn render(&self, _: &Screen) -> String {
        let v = &self.past.version;
        let message = if v.message.is_empty() { String::new() } else { format!("\n    {}\n", v.message) };
        let at = v.at.strftime("%F %T");
        format!("version {} at {at} by {} from {}\n{message}\n{}", v.version, v.author, v.source, self.diff)
    }
}
