//! `meshctl reset run`.

use std::path::PathBuf;

use control::backup::empty;
use jiff::Timestamp;
use serde::Serialize;

use super::snapshot::Plan;
use crate::{
    backup::{ForWhom, Stopped, failure, kept, save},
    talk::{Answer, Context, Failure, Render, Screen},
};

/// A plan that is older describes another mesh.
const HOURS: i64 = 24;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl reset run --plan reset.json --data-dir /var/lib/meshctl \\
      --backup-to /var/backups/mesh --recipient age1… --check
  meshctl reset run --plan reset.json --data-dir /var/lib/meshctl \\
      --backup-to /var/backups/mesh --recipient age1…
  meshctl reset run --plan reset.json --data-dir /var/lib/meshctl --no-backup --new-keys

Runs on the server's host while the server is stopped. Refuses without a plan of this very
database that is younger than 24 hours and by which somebody was told. Takes a backup first.
Then a database with nothing in it takes the place of the one that was there, which is kept in
before-reset-TIME. The Noise key stays, so that devices reach the server and are told to join
again; with --new-keys no device that knew it can speak to it before it is restarted or told to
join.")]
pub struct Args {
    /// What `meshctl reset plan` wrote
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// Folder for the backup
    #[arg(long, value_name = "DIR", required_unless_present = "no_backup")]
    backup_to: Option<PathBuf>,
    /// Take none
    #[arg(long, conflicts_with = "backup_to")]
    no_backup: bool,
    /// Make new server keys
    #[arg(long)]
    new_keys: bool,
    #[command(flatten)]
    for_whom: ForWhom,
    #[command(flatten)]
    stopped: Stopped,
}

/// What was done.
#[derive(Serialize)]
struct Outcome {
    changed: bool,
    check: bool,
    data_dir: PathBuf,
    lost: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aside: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    plan: PathBuf,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let plan = Plan::load(&args.plan)?;
    let recipients = args.backup_to.as_ref().map(|_| args.for_whom.recipients()).transpose()?;
    let (held, check) = (args.stopped.take()?, args.stopped.check.check);
    let found = held.proof().map_err(|e| failure(&e))?;
    let now = Timestamp::now();
    fits(&plan, &found.database, now)?;
    let mut outcome = Outcome {
        changed: true,
        check,
        data_dir: args.stopped.data_dir,
        lost: found.database,
        backup: None,
        aside: None,
        database: None,
        plan: args.plan,
    };
    if !check {
        if let Some((folder, recipients)) = args.backup_to.as_ref().zip(recipients) {
            outcome.backup = Some(save(&held, &plan.mesh.server_url, folder, &recipients)?);
        }
        let emptied = empty(&held, args.new_keys, now).map_err(|e| failure(&e))?;
        (outcome.aside, outcome.database) = (emptied.aside, Some(emptied.database));
    }
    Answer::of(context, &outcome)
}

fn fits(plan: &Plan, database: &str, now: Timestamp) -> Result<(), Failure> {
    let again = "make a new one while the server runs: `meshctl reset plan --out FILE --reason TEXT`";
    if plan.mesh.database != database {
        let detail = format!("the plan is about database {}, and {database} is here", plan.mesh.database);
        return Err(Failure::failed(detail).code("other_database").hint(again));
    }
    let hours = (now.as_second() - plan.made.as_second()) / 3600;
    if hours >= HOURS {
        return Err(Failure::failed(format!("the plan is {hours} hours old")).code("old_plan").hint(again));
    }
    if !plan.receipts.iter().any(|receipt| receipt.reached) {
        return Err(Failure::failed("nobody was told of the reset").code("nobody_told").hint(again));
    }
    Ok(())
}

impl Render for Outcome {
    fn render(&self, _: &Screen) -> String {
        let deed = if self.check { "would reset" } else { "reset" };
        let mut text = format!("{deed} database {} in {}\n", self.lost, self.data_dir.display());
        if let Some(backup) = &self.backup {
            text.push_str(&format!("backup: {}\n", backup.display()));
        }
        text.push_str(&kept(self.aside.as_deref()));
        if !self.check {
            let plan = self.plan.display();
            text.push_str(&format!("\nNext: start the server, then `meshctl recover run --plan {plan}`.\n"));
        }
        text
    }
}
