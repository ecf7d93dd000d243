//! `meshctl node ping`.

use api::node::{PING, Pong};
use serde::Serialize;

use crate::talk::{Answer, Context, Failure, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl node ping web-1
  meshctl node ping 5 --count 3 --json

The question goes down the stream that the client holds to the server, and its answer comes back the
same way: the client runs and is connected. It says nothing about paths between devices; `tailscale
ping` does. Exits with 1 when the device is not connected or does not answer within 5 seconds.")]
pub struct Args {
    /// Name, full name or id
    node: String,
    /// So many questions, one after another
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    count: u16,
}

/// All answers; the first question without one ends it.
#[derive(Serialize)]
struct Answers {
    answers: Vec<Pong>,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let mut answers = Vec::new();
    for _ in 0..args.count {
        answers.push(context.read(&PING, &[&args.node], &()).await?);
    }
    Answer::of(context, &Answers { answers })
}

impl Render for Answers {
    fn render(&self, _: &Screen) -> String {
        let line = |pong: &Pong| {
            let millis = pong.microseconds as f64 / 1000.0;
            format!("{} ({}) answers in {millis:.1} ms\n", pong.name, pong.id)
        };
        self.answers.iter().map(line).collect()
    }
}
