//! `meshctl node pending`.

use api::login::{LIST, Login, Logins};

use crate::talk::{Answer, Context, Failure, Render, Screen, Table, ago, join};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl node pending
  meshctl node pending --json | jq -r '.logins[].code'

A device that joins without a key shows a URL and waits for 15 minutes. `meshctl node approve CODE`
lets it in.")]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<Answer, Failure> {
    Answer::of(context, &context.read(&LIST, &[], &()).await?)
}

impl Render for Logins {
    fn render(&self, screen: &Screen) -> String {
        let headings = ["CODE", "NAME", "OS", "MACHINE", "FROM", "WAS", "ASKS FOR", "ASKED"];
        let mut table = Table::new(headings, "no device waits");
        for login in &self.logins {
            table.row([
                login.code.clone(),
                login.hostname.clone(),
                login.os.clone(),
                fingerprint(login),
                login.source.to_string(),
                join(&login.was),
                join(&login.requested_tags),
                ago(screen.now, login.asked),
            ]);
        }
        table.render(screen)
    }
}

/// As much of the key as people compare.
fn fingerprint(login: &Login) -> String {
    login.machine_key.to_string().chars().take(21).collect()
}
