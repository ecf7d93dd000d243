//! `meshctl event follow`.

use api::event::{Event, FOLLOW, Since};
use serde::Serialize;

use crate::talk::{Answer, Context, Failure, Render, Screen, actor};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl event follow
  meshctl event follow --after 120 --json

Runs until it is interrupted; with --json every entry is one line.")]
pub struct Args {
    /// Begin behind this entry instead of with the next one
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
}

/// One line of the stream.
#[derive(Serialize)]
struct Line(Event);

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let mut events = context.follow(&FOLLOW, &Since { after: args.after }).await?;
    loop {
        tokio::select! {
            event = events.next() => match event? {
                Some(event) => context.screen().show(&Answer::of(context, &Line(event))?),
                None => return Err(Failure::failed("the server closed the stream").code("stream_broken")),
            },
            _ = tokio::signal::ctrl_c() => return Ok(Answer::silent()),
        }
    }
}

impl Render for Line {
    fn render(&self, _: &Screen) -> String {
        let Event { seq, at, source, kind, subject, .. } = &self.0;
        let (at, by) = (at.strftime("%F %T"), actor(&self.0.actor));
        format!("{seq}  {at}  {kind}  {subject}  by {by} from {source}\n")
    }
}
