//! `meshctl policy get`.

use api::policy::{GET, Policy};

use crate::talk::{Answer, Context, Failure, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl policy get > policy.hujson
  meshctl policy get --json")]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<Answer, Failure> {
    let policy: Policy = context.read(&GET, &[], &()).await?;
    if policy.policy.is_empty() {
        context.screen().note("no policy was ever set: everything is denied");
    }
    Answer::of(context, &policy)
}

impl Render for Policy {
    fn render(&self, _: &Screen) -> String {
        let end = if self.policy.is_empty() || self.policy.ends_with('\n') { "" } else { "\n" };
        format!("{}{end}", self.policy)
    }
}
