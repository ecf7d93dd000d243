//! `meshctl lab test`.

use std::{fs, path::PathBuf, time::Duration};

use clap::ValueEnum;
use lab::{
    Kept,
    story::{self, Outcome, Story, Wish},
};

use super::{
    place::{Place, failure},
    progress::Progress,
    report::{Listed, Told},
};
use crate::talk::{Answer, Context, Exit, Failure, Lifetime};

const SHORT_SOAK: &str = "60s";
const JOINS: u32 = 5;
const JOINS_IN_FULL: u32 = 50;
/// What is spoiled is so from the first second, and at the first join.
const SPOILED_SOAK: Duration = Duration::from_secs(10);
const SOAK_IN_FULL: Duration = Duration::from_secs(3600);

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl lab test --list
  meshctl lab test --story mesh.basic
  meshctl lab test --keep-going --junit stories.xml --svg topology.svg
  meshctl lab test --full
  meshctl lab test --sabotage --story net.encrypted

Tells the stories of the multi-host specification on a lab that is up, in their order, and stops at
the first that fails. A soak of less than an hour never counts as SC-003. Exit code 0: all that was
asked for passed; 1: a story failed.")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// Only this story; may be given several times
    #[arg(long = "story", value_name = "ID")]
    stories: Vec<String>,
    /// Show the stories and what they prove; tell none
    #[arg(long)]
    list: bool,
    /// Go on after a story has failed
    #[arg(long)]
    keep_going: bool,
    /// How long the soak lasts [default: 60s, with --full 1h, with --sabotage 10s]
    #[arg(long, value_name = "TIME")]
    soak: Option<Lifetime>,
    /// How often a fresh host joins [default: 5, with --full 50, with --sabotage once]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    joins: Option<u32>,
    /// As the specification says: an hour of soak, 50 joins
    #[arg(long)]
    full: bool,
    /// Spoil each story in the way that has to make it fail, and see that it does
    #[arg(long)]
    sabotage: bool,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Write the report as JUnit, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a picture of the topology with the paths that were found, too
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Junit,
    Svg,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let stories = chosen(&args.stories)?;
    if args.list {
        return Answer::of(context, &Listed::of(&stories));
    }
    lab::prerequisites().map_err(|why| failure(&lab::Trouble::Machine(format!("{why:#}")).into()))?;
    let kept = Kept::open(&args.place.dir, &args.place.name).map_err(|why| failure(&why))?;
    let progress = Progress::new(context.screen().json);
    let say = |story: &Story, outcome: Option<&Outcome>| match outcome {
        None => progress.step(&format!("{}: {}", story.id, story.title)),
        Some(outcome) => {
            progress.done(&format!("{:7} {} ({:.1} s)", outcome.state.word(), story.id, outcome.seconds))
        }
    };
    let report = story::run(&kept, &stories, args.wish(), &say).map_err(|why| failure(&why))?;
    drop(progress);
    write(args.junit.as_ref(), || story::junit(&report))?;
    write(args.svg.as_ref(), || story::picture(&report))?;
    let exit = if report.passed { Exit::Ok } else { Exit::Failed };
    Ok(Answer::of(context, &Told::new(report, args.format, args.sabotage))?.exit(exit))
}

impl Args {
    fn wish(&self) -> Wish {
        let short = SHORT_SOAK.parse().map_or(60, |soak: Lifetime| soak.seconds);
        let default = if self.full { SOAK_IN_FULL } else { Duration::from_secs(short) };
        let joins = if self.full { JOINS_IN_FULL } else { JOINS };
        let (default, joins) = if self.sabotage { (SPOILED_SOAK, 1) } else { (default, joins) };
        Wish {
            keep_going: self.keep_going,
            soak: self.soak.map_or(default, |soak| Duration::from_secs(soak.seconds)),
            joins: self.joins.unwrap_or(joins),
            sabotage: self.sabotage,
        }
    }
}

/// The named stories in their own order, or all.
fn chosen(ids: &[String]) -> Result<Vec<Story>, Failure> {
    let mut stories = story::all();
    if let Some(unknown) = ids.iter().find(|id| !stories.iter().any(|story| story.id == **id)) {
        return Err(Failure::usage(format!("there is no story {unknown}"))
            .hint("`meshctl lab test --list` shows all"));
    }
    stories.retain(|story| ids.is_empty() || ids.iter().any(|id| id == story.id));
    Ok(stories)
}

fn write(file: Option<&PathBuf>, text: impl FnOnce() -> String) -> Result<(), Failure> {
    let Some(file) = file else { return Ok(()) };
    fs::write(file, text()).map_err(|e| Failure::failed(format!("cannot write {}: {e}", file.display())))
}
