//! `meshctl backup create`.

use std::{
    fs::{self, DirBuilder},
    io::Write,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use api::{
    Changed,
    backup::{CREATE, Create, MANIFEST, Manifest},
};
use control::{
    backup::{Held, Recipients, Snapshot, Sources},
    config::{File, Flags, resolve},
};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    failure,
    file::{Partial, unwritable},
    keys::{ForWhom, Opener},
    receipt::{ENDING, Receipt, in_folder},
    verify::{opened, words},
};
use crate::talk::{Answer, Check, Context, Exit, Failure, Render, Screen, read_text};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl backup create --to /var/backups/mesh --recipient age1… --keep 14
  meshctl backup create --to /var/backups/mesh --recipients-file ops.txt --age-identity ops.key
  meshctl backup create --offline --data-dir /var/lib/meshctl \\
      --config /etc/meshctl/config.yaml --to . --recipient age1…

The server copies its database as it is at one moment while it goes on serving, opens the copy
once as a start would, and encrypts it with its keys, relay certificate, configuration and
policy before anything leaves it: an age file around a tar archive, which `age -d FILE | tar x`
opens too. An API key needs the scope backup:write. With --offline the folder of a stopped
server is read in its place. With --age-identity the backup is verified too. A receipt beside
it, FILE.json, holds no secret. --keep deletes older backups of the same database in that
folder, never the newest that was verified. Ends with 4 when the log of the server is not
intact: the backup is there and holds the log as it is.")]
pub struct Args {
    /// Folder to put it into, under a name of its own
    #[arg(long, value_name = "DIR", required_unless_present_any = ["out", "check"])]
    to: Option<PathBuf>,
    /// File to put it into
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    out: Option<PathBuf>,
    /// How many backups of this database to keep in the folder
    #[arg(long, value_name = "NUMBER", requires = "to", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    #[command(flatten)]
    for_whom: ForWhom,
    #[command(flatten)]
    opener: Opener,
    /// Read the folder of a stopped server
    #[arg(long, requires = "data_dir", conflicts_with_all = ["server", "socket", "profile"])]
    offline: bool,
    /// Folder of keys and database of the stopped server
    #[arg(long, value_name = "DIR", requires = "offline")]
    data_dir: Option<PathBuf>,
    /// Configuration file of the stopped server, which is put in too
    #[arg(long, value_name = "FILE", requires = "offline")]
    config: Option<PathBuf>,
    #[command(flatten)]
    check: Check,
}

/// The backup that was made.
#[derive(Serialize)]
struct Made {
    changed: bool,
    check: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    receipt: Option<Receipt>,
    manifest: Manifest,
    /// Older ones that are gone.
    deleted: Vec<PathBuf>,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let recipients = args.for_whom.recipients()?;
    if args.check.check {
        let manifest = would(context, &args, &recipients).await?;
        return shown(
            context,
            Made { changed: true, check: true, file: None, receipt: None, manifest, deleted: Vec::new() },
        );
    }
    let path = place(&args)?;
    let mut partial = Partial::prepare(&path)?;
    let manifest = match args.offline {
        true => write_offline(&args, &recipients, &mut partial)?,
        false => fetch(context, &recipients, &mut partial).await?,
    };
    let mut receipt = Receipt::of(&manifest, partial.commit()?, recipients.names());
    receipt.keep(&path)?;
    if !args.opener.is_empty() {
        opened(&path, &args.opener)?;
        receipt.verified = Some(Timestamp::now());
        receipt.keep(&path)?;
    }
    let deleted = match (&args.to, args.keep) {
        (Some(folder), Some(keep)) => prune(folder, &receipt.proof.database, keep as usize)?,
        _ => Vec::new(),
    };
    let receipt = Some(receipt);
    shown(context, Made { changed: true, check: false, file: Some(path), receipt, manifest, deleted })
}

fn shown(context: &Context, made: Made) -> Result<Answer, Failure> {
    let exit = if made.manifest.proof.first_bad.is_some() { Exit::Warned } else { Exit::Ok };
    Ok(Answer::of(context, &made)?.exit(exit))
}

fn place(args: &Args) -> Result<PathBuf, Failure> {
    if let Some(out) = &args.out {
        return Ok(out.clone());
    }
    named(&args.to.clone().unwrap_or_default())
}

fn named(folder: &Path) -> Result<PathBuf, Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|e| unwritable(folder, &e))?;
    Ok(folder.join(format!("meshctl-{}{ENDING}", Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ"))))
}

async fn would(context: &Context, args: &Args, recipients: &Recipients) -> Result<Manifest, Failure> {
    if args.offline {
        let (_held, snapshot) = snapshot(args, None)?;
        return Ok(snapshot.manifest().clone());
    }
    let input = Create { recipients: recipients.names() };
    let change: Changed<Manifest> = context.write(&CREATE, &[], &input, args.check).await?;
    Ok(change.outcome)
}

async fn fetch(context: &Context, recipients: &Recipients, out: &mut Partial) -> Result<Manifest, Failure> {
    let input = Create { recipients: recipients.names() };
    let mut file = context.download(&CREATE, &input, MANIFEST).await?;
    while let Some(piece) = file.next().await? {
        out.write_all(&piece).map_err(|e| Failure::failed(format!("cannot write the backup: {e}")))?;
    }
    Ok(file.described)
}

fn write_offline(args: &Args, recipients: &Recipients, out: &mut Partial) -> Result<Manifest, Failure> {
    let (_held, snapshot) = snapshot(args, Some(recipients))?;
    let manifest = snapshot.manifest().clone();
    snapshot.write(recipients, out).map_err(|e| failure(&e))?;
    Ok(manifest)
}

/// A backup of a stopped server, under a name of its own.
pub fn save(
    held: &Held,
    server_url: &str,
    folder: &Path,
    recipients: &Recipients,
) -> Result<PathBuf, Failure> {
    let path = named(folder)?;
    let mut partial = Partial::prepare(&path)?;
    let data_dir = held.folder().to_owned();
    let sources = Sources { data_dir, server_url: server_url.to_owned(), beside: Vec::new() };
    let now = Timestamp::now();
    held.note_backup(recipients, now).map_err(|e| failure(&e))?;
    let snapshot = Snapshot::take(&sources, now).map_err(|e| failure(&e))?;
    let manifest = snapshot.manifest().clone();
    snapshot.write(recipients, &mut partial).map_err(|e| failure(&e))?;
    Receipt::of(&manifest, partial.commit()?, recipients.names()).keep(&path)?;
    Ok(path)
}

/// A copy of a stopped server; for recipients it is noted in its log, like one of a running server, before it is taken.
fn snapshot(args: &Args, noted: Option<&Recipients>) -> Result<(Held, Snapshot), Failure> {
    let data_dir = args.data_dir.clone().unwrap_or_default();
    if !data_dir.is_dir() {
        return Err(Failure::usage(format!("{} is no folder", data_dir.display())));
    }
    let held = Held::take(&data_dir).map_err(|e| failure(&e))?;
    let sources = match &args.config {
        None => Sources { data_dir, server_url: String::new(), beside: Vec::new() },
        Some(path) => {
            let flags =
                Flags { config_path: Some(path.clone()), data_dir: Some(data_dir), ..Flags::default() };
            let config = File::parse(path, &read_text(path)?).and_then(|file| resolve(&file, &flags));
            Sources::of(&config.map_err(crate::server::mistaken)?)
        }
    };
    let now = Timestamp::now();
    if let Some(recipients) = noted {
        held.note_backup(recipients, now).map_err(|e| failure(&e))?;
    }
    let snapshot = Snapshot::take(&sources, now).map_err(|e| failure(&e))?;
    Ok((held, snapshot))
}

/// Deletes the oldest of a database until so many are left. The newest that was verified stays, and what has no receipt.
fn prune(folder: &Path, database: &str, keep: usize) -> Result<Vec<PathBuf>, Failure> {
    let all = in_folder(folder)?;
    let mut ours: Vec<_> = all
        .iter()
        .filter_map(|(path, receipt)| {
            Some((path, receipt.as_ref().filter(|r| r.proof.database == database)?))
        })
        .collect();
    let best = ours.iter().rev().find(|(_, r)| r.verified.is_some()).map(|(path, _)| (*path).clone());
    ours.truncate(ours.len().saturating_sub(keep));
    let mut deleted = Vec::new();
    for (path, _) in ours.into_iter().filter(|(path, _)| Some(*path) != best.as_ref()) {
        let gone = fs::remove_file(path).and_then(|()| fs::remove_file(Receipt::place(path)));
        gone.map_err(|e| Failure::failed(format!("cannot delete {}: {e}", path.display())))?;
        deleted.push(path.clone());
    }
    Ok(deleted)
}

impl Render for Made {
    fn render(&self, screen: &Screen) -> String {
        let mut text = match &self.file {
            Some(file) => format!("wrote {}\n", file.display()),
            None => "would write a backup\n".to_owned(),
        };
        text.push_str(&words(&self.manifest.proof, self.manifest.made, screen));
        for name in &self.manifest.left_out {
            text.push_str(&format!("not in it: {name}\n"));
        }
        if self.receipt.as_ref().is_some_and(|r| r.verified.is_some()) {
            text.push_str("verified: it was decrypted and opened\n");
        }
        for path in &self.deleted {
            text.push_str(&format!("deleted {}\n", path.display()));
        }
        text
    }
}
