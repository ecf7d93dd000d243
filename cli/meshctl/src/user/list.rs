//! `meshctl user list`.

use api::user::{LIST, Users};

use crate::talk::{Answer, Context, Failure, Render, Screen, Table, ago};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl user list
  meshctl user list --json")]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<Answer, Failure> {
    Answer::of(context, &context.read(&LIST, &[], &()).await?)
}

impl Render for Users {
    fn render(&self, screen: &Screen) -> String {
        let mut table = Table::new(["ID", "LOGIN", "NAME", "NODES", "CREATED"], "no users");
        for u in &self.users {
            let nodes = u.node_count.to_string();
            let created = ago(screen.now, u.created);
            table.row([u.id.to_string(), u.login.clone(), u.display_name.clone(), nodes, created]);
        }
        table.render(screen)
    }
}
