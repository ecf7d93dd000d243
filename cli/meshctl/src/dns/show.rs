//! `meshctl dns show`.

use api::dns::{Dns, SHOW};

use crate::talk::{Answer, Context, Failure, Fields, Render, Screen, join};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl dns show
  meshctl dns show --json | jq .split")]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<Answer, Failure> {
    Answer::of(context, &context.read(&SHOW, &[], &()).await?)
}

impl Render for Dns {
    fn render(&self, screen: &Screen) -> String {
        let word = |yes: bool| if yes { "on" } else { "off" };
        let fields = Fields::default()
            .add("domain", &self.domain)
            .add("MagicDNS", word(self.magic))
            .add("nameservers", join(&self.resolvers))
            .add("override local", word(self.override_local))
            .add("search", join(&self.search))
            .add("extra records", self.records.len());
        let fields = self
            .split
            .iter()
            .fold(fields, |fields, (suffix, to)| fields.add("split", format!("{suffix} to {}", join(to))));
        let text = fields.render(screen);
        self.dangers.iter().fold(text, |text, danger| format!("{text}WARNING: {danger}\n"))
    }
}
