//! `meshctl policy compile`.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use policy::{CaseAnswer, MAX_CASE_BYTES, answer_case};

use crate::talk::{Answer, Context, Failure, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl policy compile --cases cases.jsonl
  meshctl policy compile --cases - < cases.jsonl

Needs no server. A case is one line of JSON with id, users, nodes and policy; the answer to it is
one line with what each node would be told: filter, SSH rules, peers and capabilities. A line that
is wrong is answered with accepted: false and the error, and the rest goes on.")]
pub struct Args {
    /// File of cases, one a line; `-` for standard input
    #[arg(long, value_name = "FILE")]
    cases: PathBuf,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let failed = |e: io::Error| Failure::failed(format!("cannot read {}: {e}", args.cases.display()));
    let mut input = open(&args.cases).map_err(failed)?;
    while let Some(line) = next_line(&mut input).map_err(failed)? {
        let line = String::from_utf8_lossy(&line);
        if !line.trim().is_empty() {
            context.screen().show(&Answer::of(context, &answer_case(line.trim()))?);
        }
    }
    Ok(Answer::silent())
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(BufReader::new(File::open(path)?)))
}

/// A line of at most one byte more than a case may have; what is longer is passed over.
fn next_line(input: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = MAX_CASE_BYTES as u64 + 1;
    if input.take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() as u64 == limit && line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

impl Render for CaseAnswer {
    fn render(&self, _: &Screen) -> String {
        serde_json::to_string(self).map(|line| line + "\n").unwrap_or_default()
    }
}
