//! `meshctl apikey list`.

use api::apikey::{ApiKeys, LIST};

use crate::talk::{Answer, Context, Failure, Render, Screen, Table, ago};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl apikey list
  meshctl apikey list --json")]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<Answer, Failure> {
    Answer::of(context, &context.read(&LIST, &[], &()).await?)
}

impl Render for ApiKeys {
    fn render(&self, screen: &Screen) -> String {
        let mut table = Table::new(["ID", "KEY", "FOR", "SCOPES", "LAST USED", "STATE"], "no API keys");
        for k in &self.apikeys {
            let used = k.last_used.map_or("never".to_owned(), |at| ago(screen.now, at));
            let state = match k.revoked {
                Some(at) => format!("revoked {}", ago(screen.now, at)),
                None if k.expires <= screen.now => format!("expired {}", ago(screen.now, k.expires)),
                None => format!("expires {}", ago(screen.now, k.expires)),
            };
            let (description, scopes) = (k.description.clone(), k.scopes.to_string());
            table.row([k.id.to_string(), k.masked.clone(), description, scopes, used, state]);
        }
        table.render(screen)
    }
}
