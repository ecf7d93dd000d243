//! `meshctl lab exec`.

use std::{os::unix::process::CommandExt, time::Duration};

use lab::Host;
use serde::Serialize;

use super::place::{Place, failure};
use crate::talk::{Answer, Context, Exit, Failure, Render, Screen};

const JSON_LIMIT: Duration = Duration::from_secs(600);

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl lab exec a
  meshctl lab exec a -- tailscale status
  meshctl lab exec srv -- meshctl node list
  meshctl lab exec c --json -- ping -c 3 a | jq .exit

Ends as the command ends. On the clients `tailscale` speaks to the host's own daemon, and on srv
`meshctl` to the lab's server. With --json the command has no input, and its output is in the
answer.")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// srv, r1, r2, a, b, c, spare or outsider
    host: String,
    /// Command and arguments [default: a shell]
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What a command left behind.
#[derive(Serialize)]
struct Ran {
    host: String,
    command: Vec<String>,
    /// None when a signal ended it.
    exit: Option<i32>,
    stdout: String,
    stderr: String,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let (_, lab) = lab::peek(&args.place.dir, &args.place.name).map_err(|why| failure(&why))?;
    let known = lab::ACCEPTANCE.places();
    let host = lab.host(&args.host).map_err(|_| {
        let names: Vec<&str> = known.iter().map(|(name, ..)| *name).collect();
        Failure::usage(format!("the lab has no host {}", args.host))
            .hint(format!("its hosts are {}", names.join(", ")))
    })?;
    let shell = ["sh".to_owned()];
    let words = if args.command.is_empty() { &shell[..] } else { &args.command };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if context.screen().json {
        return ran(context, host, &words);
    }
    let mut command = host.prepared(&words).map_err(|why| failure(&why))?;
    if let Some(terminal) = std::env::var_os("TERM") {
        command.env("TERM", terminal);
    }
    // this program becomes the command, whose end is then its own
    let why = command.exec();
    Err(Failure::failed(format!("cannot enter host {}: {why}", args.host)))
}

fn ran(context: &Context, host: &Host, words: &[&str]) -> Result<Answer, Failure> {
    let output = host.try_exec(words, JSON_LIMIT).map_err(|why| failure(&why))?;
    let exit = if output.success() { Exit::Ok } else { Exit::Failed };
    let command = words.iter().map(|&word| word.to_owned()).collect();
    let (host, code) = (host.name().to_owned(), output.status.code());
    let ran = Ran { host, command, exit: code, stdout: output.stdout, stderr: output.stderr };
    Ok(Answer::of(context, &ran)?.exit(exit))
}

impl Render for Ran {
    fn render(&self, _: &Screen) -> String {
        self.stdout.clone()
    }
}
