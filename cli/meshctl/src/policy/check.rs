//! `meshctl policy check`.

use std::{collections::BTreeSet, path::PathBuf};

use policy::{Document, Policy, PolicyError, PolicyErrors};
use serde::Serialize;

use super::ask::{self, Nodes, devices, excerpt};
use crate::talk::{Answer, Context, Exit, Failure, Render, Screen};

/// Most failures of tests that are shown.
const MOST: usize = 100;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl policy check policy.hujson
  meshctl policy check policy.hujson --nodes live
  meshctl policy check - --json < policy.hujson

Needs no server. The policy's own tests are run against the devices that --nodes names; without it
against imagined ones, one of each person and one with each tag that the policy names. Ends with 0
when the policy could be put in force, with 1 when it has mistakes or one of its tests fails.")]
pub struct Args {
    /// HuJSON file, `-` for standard input
    file: PathBuf,
    /// Devices for the policy's tests: what `meshctl node list --json` printed, or `live`
    #[arg(long, value_name = "FILE|live")]
    nodes: Option<Nodes>,
}

/// What was found.
#[derive(Serialize)]
struct Found {
    file: String,
    valid: bool,
    errors: Vec<Mistake>,
    tests: Tests,
    #[serde(skip)]
    words: String,
}

#[derive(Serialize)]
struct Mistake {
    line: u32,
    column: u32,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// What became of the policy's own tests.
#[derive(Default, Serialize)]
struct Tests {
    run: usize,
    /// Whether no device of them is a real one.
    imagined: bool,
    failed: usize,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let file =
        if args.file.as_os_str() == "-" { "standard input".into() } else { args.file.display().to_string() };
    let text = ask::read(&args.file)?;
    let found = match Policy::parse(&text) {
        Err(errors) => mistaken(file, &text, &errors),
        Ok(policy) => {
            let document = Document::from(&policy);
            let roster = match (&args.nodes, document.tests()) {
                (None, _) | (_, 0) => document.imagined_roster(),
                (Some(nodes), _) => devices(context, Some(nodes), false).await?,
            };
            let failed = document.try_tests(&roster);
            let places: BTreeSet<_> = failed.iter().map(|error| (error.line, error.column)).collect();
            let tests = Tests { run: document.tests(), imagined: args.nodes.is_none(), failed: places.len() };
            let failed = PolicyErrors(failed.into_iter().take(MOST).map(failure).collect());
            Found { tests, ..mistaken(file, &text, &failed) }
        }
    };
    let exit = if found.valid { Exit::Ok } else { Exit::Failed };
    Ok(Answer::of(context, &found)?.exit(exit))
}

fn mistaken(file: String, text: &str, errors: &PolicyErrors) -> Found {
    let words = errors.iter().map(|error| excerpt(&file, text, error)).collect::<Vec<_>>().join("\n");
    let mistake = |error: &PolicyError| Mistake {
        line: error.line,
        column: error.column,
        message: error.message.clone(),
        hint: error.hint.clone(),
    };
    let errors: Vec<_> = errors.iter().map(mistake).collect();
    Found { file, valid: errors.is_empty(), errors, tests: Tests::default(), words }
}

/// As a server names it.
fn failure(error: PolicyError) -> PolicyError {
    PolicyError { message: format!("test failed: {}", error.message), ..error }
}

impl Render for Found {
    fn render(&self, _: &Screen) -> String {
        let Tests { run, imagined, failed } = &self.tests;
        let with = if *imagined { ", with imagined devices" } else { "" };
        if *failed > 0 {
            let of = match (run, failed) {
                (1, _) => "its own test fails".to_owned(),
                (_, 1) => "1 of its own tests fails".to_owned(),
                _ => format!("{failed} of its own tests fail"),
            };
            return format!("{}\n{} is well-formed, but {of}{with}\n", self.words, self.file);
        }
        if !self.errors.is_empty() {
            let count = self.errors.len();
            let mistakes = if count == 1 { "a mistake".to_owned() } else { format!("{count} mistakes") };
            return format!("{}\n{} has {mistakes}\n", self.words, self.file);
        }
        let tests = match run {
            0 => String::new(),
            1 => format!("; its test holds{with}"),
            _ => format!("; its {run} tests hold{with}"),
        };
        format!("the policy is valid{tests}\n")
    }
}
