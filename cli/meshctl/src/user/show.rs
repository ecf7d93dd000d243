//! `meshctl user show`.

use api::user::{One, SHOW};

use crate::talk::{Answer, Context, Failure, Fields, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl user show alice
  meshctl user show 3 --json")]
pub struct Args {
    /// Login or id
    user: String,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    Answer::of(context, &context.read(&SHOW, &[&args.user], &()).await?)
}

impl Render for One {
    fn render(&self, screen: &Screen) -> String {
        let u = &self.user;
        Fields::default()
            .add("id", u.id)
            .add("login", &u.login)
            .add("name", &u.display_name)
            .add("nodes", u.node_count)
            .add("created", u.created)
            .render(screen)
    }
}
