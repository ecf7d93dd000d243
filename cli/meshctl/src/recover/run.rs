//! The run itself: one step after the other, each written down before the next.

use std::path::{Path, PathBuf};

use readiness::runbook::{Diagnosis, Outcome, Runbook, Step};
use serde::{Deserialize, Serialize};

use super::{join, journal::Journal, rebuild, restore::restore, state};
use crate::{
    backup::Opener,
    reset::{Mesh, Plan},
    talk::{Answer, Context, Exit, Failure, Render, Screen},
};

mod beside;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl recover plan --plan reset.json
  meshctl recover run --plan reset.json --hosts hosts.yaml \\
      --vault group_vars/all/vault.yml --var vault_headplane_api_key
  meshctl recover run --plan reset.json --backup mesh.tar.age --age-identity ops.key \\
      --data-dir /var/lib/meshctl --stop-server 'systemctl stop meshctl' \\
      --start-server 'systemctl start meshctl'
  meshctl recover resume --journal reset.recovery.json
  meshctl recover status --journal reset.recovery.json

Finds out by Noise key, database and devices what became of the server; restores a backup where
there is one; makes anew what is missing: people, policy, DNS, key roles, a key per device, the
API key of consumers. Then has machines join again over SSH (hosts file), says the lines for
people's devices, approves routes and runs the checks. Every step looks first and can be
repeated; the journal is written after each. Ends with 0 when nothing is owed, with 4 while
somebody has to do something (then resume), with 1 when a step failed.")]
pub struct Args {
    #[command(flatten)]
    wishes: Wishes,
    /// Where to write how far it has come [default: beside the plan, .recovery.json]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    check: bool,
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl recover resume --journal reset.recovery.json
  meshctl recover status --journal reset.recovery.json --json")]
pub struct Again {
    /// What `meshctl recover run` wrote
    #[arg(long, value_name = "FILE")]
    journal: PathBuf,
}

/// What to recover, and with what; names of files and commands only.
#[derive(Debug, Clone, clap::Args, Serialize, Deserialize)]
pub struct Wishes {
    /// The mesh as it was: what `meshctl reset plan` wrote
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// Backup to restore first
    #[arg(long, value_name = "FILE")]
    pub backup: Option<PathBuf>,
    #[command(flatten)]
    pub opener: Opener,
    /// Folder of keys and database, where this is the server's host
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Command of the shell that stops the server before the restore
    #[arg(long, value_name = "COMMAND")]
    pub stop_server: Option<String>,
    /// Command of the shell that starts it again
    #[arg(long, value_name = "COMMAND")]
    pub start_server: Option<String>,
    /// Folder for the keys of devices
    #[arg(long, value_name = "DIR", default_value = "recovery-keys")]
    pub keys: PathBuf,
    /// File with ways to machines outside the mesh (YAML)
    #[arg(long, value_name = "FILE")]
    pub hosts: Option<PathBuf>,
    /// Configuration of ssh in the place of your own
    #[arg(long, value_name = "FILE")]
    pub ssh_config: Option<PathBuf>,
    /// Vault with the API key of a consumer such as Headplane
    #[arg(long, value_name = "FILE", requires = "var")]
    pub vault: Option<PathBuf>,
    /// Which value of the vault
    #[arg(long, value_name = "NAME", requires = "vault")]
    pub var: Option<String>,
    /// File with the vault's password
    #[arg(long, value_name = "FILE")]
    pub vault_password_file: Option<PathBuf>,
    /// Command of the shell that deploys the consumer
    #[arg(long, value_name = "COMMAND", requires = "vault")]
    pub deploy: Option<String>,
}

/// How far it is.
#[derive(Serialize)]
struct Report {
    changed: bool,
    check: bool,
    over: bool,
    journal: PathBuf,
    diagnosis: Option<Diagnosis>,
    steps: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    step: Step,
    summary: &'static str,
    #[serde(flatten)]
    outcome: Outcome,
}

pub async fn plan(context: &Context, args: Args) -> Result<Answer, Failure> {
    let mesh = Plan::load(&args.wishes.plan)?.mesh;
    let mut runbook = Runbook::default();
    diagnose(context, &mut runbook, &mesh, args.wishes.backup.is_some()).await;
    let journal = args.journal.unwrap_or_else(|| Journal::beside(&args.wishes.plan));
    let would = args.check && !runbook.is_over();
    Answer::of(context, &report(&runbook, journal, would, true))
}

pub async fn begin(context: &Context, args: Args) -> Result<Answer, Failure> {
    if args.check {
        return plan(context, args).await;
    }
    let path = args.journal.clone().unwrap_or_else(|| Journal::beside(&args.wishes.plan));
    if path.symlink_metadata().is_ok() {
        return Err(Failure::failed(format!("{} is there already", path.display()))
            .code("begun")
            .hint(format!("`meshctl recover resume --journal {}` goes on with it", path.display())));
    }
    let journal = Journal { wishes: args.wishes, runbook: Runbook::default() };
    journal.keep(&path)?;
    go(context, journal, path).await
}

pub async fn resume(context: &Context, args: Again) -> Result<Answer, Failure> {
    let mut journal = Journal::load(&args.journal)?;
    if !journal.runbook.is_over() {
        journal.runbook.record(Step::Diagnose, Outcome::Pending);
    }
    go(context, journal, args.journal).await
}

pub fn status(context: &Context, args: Again) -> Result<Answer, Failure> {
    let journal = Journal::load(&args.journal)?;
    Answer::of(context, &report(&journal.runbook, args.journal, false, false))
}

async fn go(context: &Context, mut journal: Journal, path: PathBuf) -> Result<Answer, Failure> {
    let mesh = Plan::load(&journal.wishes.plan)?.mesh;
    let (mut last, mut taken, mut failed) = (None, 0, false);
    while let Some(step) = journal.runbook.next(last) {
        context.screen().note(step.summary());
        taken += 1;
        if step == Step::Diagnose {
            diagnose(context, &mut journal.runbook, &mesh, journal.wishes.backup.is_some()).await;
        } else {
            let outcome = take(context, &journal.wishes, &mesh, step, &path).await;
            let outcome = outcome.unwrap_or_else(|e| Outcome::Failed(words(&e)));
            failed = matches!(outcome, Outcome::Failed(_));
            journal.runbook.record(step, outcome);
        }
        journal.keep(&path)?;
        if failed {
            break;
        }
        let ask_again = step == Step::Restore && journal.runbook.outcome(Step::Diagnose) == &Outcome::Pending;
        last = if ask_again { None } else { Some(step) };
    }
    let over = journal.runbook.is_over();
    let exit = match (failed, over) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Ok,
        (false, false) => Exit::Warned,
    };
    Ok(Answer::of(context, &report(&journal.runbook, path, taken > 0, false))?.exit(exit))
}

async fn diagnose(context: &Context, runbook: &mut Runbook, mesh: &Mesh, has_backup: bool) {
    let found = state::now(context).await;
    runbook.diagnosed(Diagnosis::of(&state::before(mesh), found.as_ref()), has_backup);
}

async fn take(
    context: &Context,
    wishes: &Wishes,
    mesh: &Mesh,
    step: Step,
    journal: &Path,
) -> Result<Outcome, Failure> {
    Ok(match step {
        Step::Diagnose => Outcome::Pending,
        Step::Restore => {
            let outcome = restore(wishes);
            beside::settle(context, &outcome).await;
            outcome
        }
        Step::Users => Outcome::Done(rebuild::users(context, mesh).await?),
        Step::Policy => Outcome::Done(rebuild::policy(context, mesh).await?),
        Step::Dns => Outcome::Done(rebuild::dns(context, mesh).await?),
        Step::Roles => Outcome::Done(rebuild::roles(context, mesh).await?),
        Step::Keys => Outcome::Done(rebuild::keys(context, mesh, &wishes.keys).await?),
        Step::Consumers => beside::consumers(context, wishes).await?,
        Step::Routers | Step::Servers | Step::Laptops => join::again(context, wishes, mesh, step).await?,
        Step::Routes => match rebuild::routes(context, mesh).await? {
            Ok(done) => Outcome::Done(done),
            Err(waiting) => Outcome::Waiting(waiting),
        },
        Step::Checks => beside::checks(context, wishes, mesh, journal).await?,
    })
}

fn words(e: &Failure) -> String {
    match &e.hint {
        Some(hint) => format!("{} ({hint})", e.detail),
        None => e.detail.clone(),
    }
}

fn report(runbook: &Runbook, journal: PathBuf, changed: bool, check: bool) -> Report {
    let line = |(step, outcome): &(Step, Outcome)| Line {
        step: *step,
        summary: step.summary(),
        outcome: outcome.clone(),
    };
    let steps = runbook.steps().iter().map(line).collect();
    Report { changed, check, over: runbook.is_over(), journal, diagnosis: runbook.diagnosis, steps }
}

impl Render for Report {
    fn render(&self, _: &Screen) -> String {
        let mut text = String::new();
        for Line { summary, outcome, .. } in &self.steps {
            let (mark, note) = match outcome {
                Outcome::Pending => ("to do  ", ""),
                Outcome::Done(note) => ("done   ", note.as_str()),
                Outcome::Skipped(note) => ("-      ", note.as_str()),
                Outcome::Waiting(note) => ("WAITING", note.as_str()),
                Outcome::Failed(note) => ("FAILED ", note.as_str()),
            };
            text.push_str(&format!("{mark}  {summary}\n"));
            note.lines().for_each(|line| text.push_str(&format!("           {line}\n")));
        }
        if !self.over && !self.check {
            text.push_str(&format!(
                "\nGo on with: meshctl recover resume --journal {}\n",
                self.journal.display()
            ));
        }
        text
    }
}
