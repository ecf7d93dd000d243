//! `meshctl check`: whether it is safe to change something, whether everything is back, whether it works at all.

mod facts;
mod inputs;
mod judge;
mod local;
mod memory;
mod online;
mod run;
mod show;

use std::path::PathBuf;

use clap::ValueEnum;
use readiness::{Check, Report, Stage, State, Waivers, find, of_stage};

use crate::talk::{Answer, Context, Exit, Failure, read_text};
use inputs::Inputs;
pub use local::look;
use show::{Catalogue, Explained, Shown};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl check --stage before-change
  meshctl check --only control.handshake --url https://vpn.example.com
  meshctl check --only playbook.undefined-when-fresh --playbooks ansible
  meshctl check --stage after-reset --expect mesh.json --vault vault.yml \\
      --var vault_headplane_api_key
  meshctl check --stage before-change --format junit > check.xml
  meshctl check --list
  meshctl check --explain dns.public-bootstrap

Checks run side by side; what follows from another failure is shown under it. Ends with 0 when
nothing is owed, with 1 when a check fails, with 3 when one could not be determined (never a pass),
and with --strict with 4 when one warns. What has nothing to look at is skipped: the flags below
name it.")]
pub struct Args {
    /// Which checks: those before a change, after a reset, or at an installation [default: all]
    #[arg(long, value_enum)]
    stage: Option<StageName>,
    /// This check alone, and what its own evidence needs; may stand several times
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
    /// Leave this check out; may stand several times
    #[arg(long, value_name = "ID")]
    skip: Vec<String>,
    /// How to answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// File with exceptions: waivers: [{id: ID, reason: WHY, expires: 2027-01-31}]
    #[arg(long, value_name = "FILE")]
    waivers: Option<PathBuf>,
    /// End with 4 when a check warns
    #[arg(long)]
    strict: bool,
    /// Show all checks and run none
    #[arg(long, conflicts_with_all = ["explain", "only"])]
    list: bool,
    /// Say what a check is for and how it is done, and run none
    #[arg(long, value_name = "ID")]
    explain: Option<String>,
    /// Write down what is there (server key, devices, routes) for a later --expect, and run none
    #[arg(long, value_name = "FILE", conflicts_with_all = ["list", "explain"])]
    remember: Option<PathBuf>,
    /// Write down that the playbooks ran on a fresh host, bound to what they are, and run none
    #[arg(long, value_name = "FILE", requires_all = ["playbooks", "second_run_changed"], conflicts_with = "remember")]
    record_fresh: Option<PathBuf>,
    /// What the second run on the fresh host changed
    #[arg(long, value_name = "NUMBER")]
    second_run_changed: Option<u64>,
    #[command(flatten)]
    inputs: Inputs,
}

/// The stages as the command line names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StageName {
    BeforeChange,
    AfterReset,
    Install,
}

impl From<StageName> for Stage {
    fn from(name: StageName) -> Self {
        match name {
            StageName::BeforeChange => Stage::BeforeChange,
            StageName::AfterReset => Stage::AfterReset,
            StageName::Install => Stage::Install,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    /// For CI: one test case a check
    Junit,
    /// For code review: what stands in a line of a file
    Sarif,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    if args.list {
        let checks = of_stage(args.stage.map(Stage::from)).copied().collect();
        return Answer::of(context, &Catalogue { checks });
    }
    if let Some(id) = &args.explain {
        return Answer::of(context, &Explained { check: known(id)? });
    }
    if let Some(file) = &args.remember {
        return Answer::of(context, &memory::remember(context, file).await?);
    }
    if let (Some(file), Some(changed)) = (&args.record_fresh, args.second_run_changed) {
        return Answer::of(context, &local::record_fresh(&args.inputs, file, changed)?);
    }
    let checks = chosen(&args)?;
    let waivers = match &args.waivers {
        None => Waivers::default(),
        Some(file) => Waivers::parse(&read_text(file)?)
            .map_err(|e| Failure::usage(format!("{}: {e}", file.display())))?,
    };
    let mut outcomes = run::all(context, &args.inputs, &checks).await?;
    waivers.apply(&mut outcomes, context.screen().now);
    readiness::fold(&mut outcomes);
    let report = Report::new(outcomes);
    let exit = exit(report.state, args.strict);
    Ok(Answer::of(context, &Shown::new(report, args.format, args.stage.map(Stage::from)))?.exit(exit))
}

fn chosen(args: &Args) -> Result<Vec<&'static Check>, Failure> {
    let skipped = args.skip.iter().map(|id| known(id)).collect::<Result<Vec<_>, _>>()?;
    let named = args.only.iter().map(|id| known(id)).collect::<Result<Vec<_>, _>>()?;
    let stage: Vec<_> = of_stage(args.stage.map(Stage::from)).collect();
    let chosen = stage.into_iter().filter(|check| named.is_empty() || named.iter().any(|n| n.id == check.id));
    let chosen: Vec<_> = chosen.filter(|check| skipped.iter().all(|s| s.id != check.id)).collect();
    if chosen.is_empty() {
        return Err(Failure::usage("no check is left to run")
            .hint("`meshctl check --list` shows which stage has which"));
    }
    Ok(chosen)
}

fn known(id: &str) -> Result<&'static Check, Failure> {
    find(id).map_err(|e| {
        Failure::usage(e.to_string()).hint(format!("the nearest is {}; --list shows all", e.nearest))
    })
}

fn exit(state: State, strict: bool) -> Exit {
    match state {
        State::Fail => Exit::Failed,
        State::Unknown => Exit::Unknown,
        State::Warn if strict => Exit::Warned,
        State::Warn | State::Pass | State::Skip => Exit::Ok,
    }
}
