//! `meshctl server reload`.

use api::{
    Changed,
    server::{RELOAD, Reloaded},
};
use serde::Serialize;

use crate::talk::{Answer, Check, Context, Failure, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl server reload
  meshctl server reload --check
  meshctl server reload --json | jq -r '.applied[]'

The server reads its configuration file again, with the flags it was started with, and applies all
of it or nothing: a mistake, a certificate or relay map that cannot be used, or a key that only a
start can apply (listeners, data_dir, domain) is named, ends with 1 and leaves everything as it was.
SIGHUP does the same; the log then says what came of it.")]
pub struct Args {
    #[command(flatten)]
    check: Check,
}

#[derive(Serialize)]
struct Shown(Changed<Reloaded>);

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let change = context.write(&RELOAD, &[], &(), args.check).await?;
    Answer::of(context, &Shown(change))
}

impl Render for Shown {
    fn render(&self, _: &Screen) -> String {
        let Shown(change) = self;
        let what = change.outcome.applied.join(", ");
        match (change.changed, change.check) {
            (false, true) => "would change nothing\n".to_owned(),
            (false, false) => "read again; nothing is different\n".to_owned(),
            (true, true) => format!("would apply {what}\n"),
            (true, false) => format!("applied {what}\n"),
        }
    }
}
