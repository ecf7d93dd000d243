//! `meshctl backup restore`.

use std::path::PathBuf;

use api::backup::Proof;
use control::backup::{BackupError, Issued, Restored, Returned, Staged};
use jiff::Timestamp;
use serde::Serialize;

use super::{Stopped, failure, kept, keys::Opener, verify::words};
use crate::talk::{Answer, Context, Failure, Render, Screen};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl backup restore mesh.tar.age --age-identity ops.key --data-dir /var/lib/meshctl --check
  meshctl backup restore mesh.tar.age --age-identity ops.key --data-dir /var/lib/meshctl --force

Decrypts it inside the data folder, opens it as a start would, and only then puts it in place,
the database last: killed at any moment it leaves a whole server or one that refuses to start,
never an empty one. Refuses while a server runs there. A folder that is not empty needs --force,
which keeps what was there in before-restore-TIME. Says which secrets are dead afterwards, and
which are alive again although they were used up or revoked. The configuration and the policy as
they were are put into restored/.")]
pub struct Args {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    opener: Opener,
    /// Move aside what is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    stopped: Stopped,
}

/// What was put in place, and what that means.
#[derive(Serialize)]
struct Outcome {
    changed: bool,
    check: bool,
    data_dir: PathBuf,
    made: Timestamp,
    server_url: String,
    proof: Proof,
    #[serde(skip_serializing_if = "Option::is_none")]
    aside: Option<PathBuf>,
    beside: Vec<PathBuf>,
    /// Null when what was there could not be compared with.
    returned: Option<Returned>,
    /// The server that was there had another Noise key: no device that knew it can reach this one.
    another_server: bool,
    /// It had a newer Noise key of the same server: who fetched that one cannot reach this one.
    key_rotated: bool,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let reader = args.opener.open(&args.file)?;
    let (held, check) = (args.stopped.take()?, args.stopped.check.check);
    let mut fits = held.is_empty().map_err(|e| failure(&e))?;
    fits |= args.force || check;
    if !fits {
        return Err(failure(&BackupError::NotEmpty(args.stopped.data_dir)));
    }
    let now = Timestamp::now();
    let staged = Staged::unpack(&held, reader, now).map_err(|e| failure(&e))?;
    let before = held.ledger(now);
    let there = held.proof().ok().filter(|there| there.public_key != staged.proof().public_key);
    let key_rotated = there.as_ref().is_some_and(|there| there.database == staged.proof().database);
    let another_server = there.is_some() && !key_rotated;
    let returned = before.map(|before| before.replaced_by(staged.ledger()));
    let (made, server_url) = (staged.manifest().made, staged.manifest().server_url.clone());
    let proof = staged.proof().clone();
    let restored = match check {
        true => Restored { aside: None, beside: Vec::new() },
        false => staged.put(&held, now).map_err(|e| failure(&e))?,
    };
    let Restored { aside, beside } = restored;
    let data_dir = args.stopped.data_dir;
    let outcome = Outcome {
        changed: true,
        check,
        data_dir,
        made,
        server_url,
        proof,
        aside,
        beside,
        returned,
        another_server,
        key_rotated,
    };
    Answer::of(context, &outcome)
}

impl Render for Outcome {
    fn render(&self, screen: &Screen) -> String {
        let deed = if self.check { "would restore" } else { "restored" };
        let mut text = format!("{deed} {} into {}\n", self.server_url, self.data_dir.display());
        text.push_str(&words(&self.proof, self.made, screen));
        text.push_str(&kept(self.aside.as_deref()));
        for path in &self.beside {
            text.push_str(&format!("for reading: {}\n", path.display()));
        }
        if self.another_server {
            text.push_str("\nThe server that was there had another Noise key: devices that registered with it must register again.\n");
        }
        if self.key_rotated {
            text.push_str(
                "\nThe server's Noise key was rotated since: devices whose client fetched the newer one must have it started again.\n",
            );
        }
        match &self.returned {
            Some(returned) => text.push_str(&changes(returned)),
            None => text.push_str(&format!(
                "\nDead: every key and API key made after {}. Alive again: those revoked or used up after it.\nDevices that registered after it must register again.\n",
                self.made
            )),
        }
        if !self.check {
            text.push_str("\nNext: start the server, then `meshctl check --stage after-reset`.\n");
        }
        text
    }
}

fn changes(returned: &Returned) -> String {
    let Returned { dead, alive_again, nodes_gone, nodes_back } = returned;
    let mut text = String::new();
    let mut say = |heading: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n{heading}\n"));
            lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
    };
    say("Dead, make new ones:", dead.iter().map(issued).collect());
    say("Alive again, revoke them:", alive_again.iter().map(revoke).collect());
    say("Devices that must register again:", nodes_gone.clone());
    say("Devices that are back although they were deleted:", nodes_back.clone());
    if text.is_empty() {
        text.push_str("\nNo secret and no device is affected.\n");
    }
    text
}

fn issued(one: &Issued) -> String {
    match one.noun {
        "key" => format!("key {} (role {}): `meshctl key create --role {}`", one.id, one.of, one.of),
        _ => format!("API key {} ({}): `meshctl apikey create`", one.id, one.of),
    }
}

fn revoke(one: &Issued) -> String {
    format!("{} {} ({}): `meshctl {} revoke {}`", one.noun, one.id, one.of, one.noun, one.id)
}
