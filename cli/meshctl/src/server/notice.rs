//! `meshctl server notice`.

use api::{
    Changed,
    server::{NOTICE, Notice, SET_NOTICE, SetNotice},
};
use serde::Serialize;

use crate::talk::{Answer, Check, Context, Failure, Render, Screen, join};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl server notice 'The mesh is reset on Friday at 18:00 UTC: https://wiki.example.com/mesh'
  meshctl server notice --clear
  meshctl server notice

Official clients show the line as a health warning: in `tailscale status`, and in the window of
those that have one. It holds until it is cleared, another one takes its place, or the server is
started again. Says which devices took it up; without a text, what holds now.")]
pub struct Args {
    /// One line, at most 500 bytes
    text: Option<String>,
    /// Take back what was said
    #[arg(long, conflicts_with = "text")]
    clear: bool,
    #[command(flatten)]
    check: Check,
}

#[derive(Serialize)]
struct Shown(Changed<Notice>);

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    if args.text.is_none() && !args.clear {
        let outcome = context.read(&NOTICE, &[], &()).await?;
        return Answer::of(context, &Shown(Changed { changed: false, check: false, outcome }));
    }
    let change = context.write(&SET_NOTICE, &[], &SetNotice { text: args.text }, args.check).await?;
    Answer::of(context, &Shown(change))
}

impl Render for Shown {
    fn render(&self, _: &Screen) -> String {
        let Notice { text, told, not_told, acknowledged, awaited } = &self.0.outcome;
        let agents = match (acknowledged.is_empty(), awaited.is_empty()) {
            (true, true) => String::new(),
            _ => format!(
                "acknowledged by agents: {}\nnot yet: {}\n",
                join(acknowledged.iter().map(|seen| &seen.node)),
                join(awaited)
            ),
        };
        match text {
            None => "devices are told nothing\n".to_owned(),
            Some(text) if self.0.check => format!("would tell every connected device: {text}\n"),
            Some(text) => format!("{text}\ntold: {}\nnot told: {}\n{agents}", join(told), join(not_told)),
        }
    }
}
