//! `meshctl route list`.

use api::route::{LIST, Routes};

use crate::talk::{Answer, Context, Failure, Render, Screen, Table};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl route list
  meshctl route list --json | jq '.routes[] | select(.advertised and (.approved | not))'")]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<Answer, Failure> {
    Answer::of(context, &context.read(&LIST, &[], &()).await?)
}

impl Render for Routes {
    fn render(&self, screen: &Screen) -> String {
        let word = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let mut table =
            Table::new(["PREFIX", "NODE", "OFFERED", "APPROVED", "SERVING", "ONLINE"], "no routes");
        for r in &self.routes {
            table.row([
                r.prefix.to_string(),
                r.node.clone(),
                word(r.advertised),
                word(r.approved),
                word(r.primary),
                word(r.online),
            ]);
        }
        table.render(screen)
    }
}
