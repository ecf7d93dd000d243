//! `meshctl role show`.

use api::role::{One, SHOW};

use super::list::keys;
use crate::talk::{Answer, Context, Failure, Fields, Render, Screen, join};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl role show server
  meshctl role show server --json")]
pub struct Args {
    /// Name
    role: String,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    Answer::of(context, &context.read(&SHOW, &[&args.role], &()).await?)
}

impl Render for One {
    fn render(&self, screen: &Screen) -> String {
        let r = &self.role;
        Fields::default()
            .add("role", &r.name)
            .add("description", &r.description)
            .add("tags", join(&r.tags))
            .add("keys", keys(&r.key))
            .render(screen)
    }
}
