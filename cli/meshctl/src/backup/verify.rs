//! `meshctl backup verify`.

use std::{
    env,
    path::{Path, PathBuf},
};

use api::backup::{Manifest, Proof};
use control::backup::{Scratch, extract, prove};
use jiff::Timestamp;
use serde::Serialize;

use super::{failure, file::measure, keys::Opener, receipt::Receipt};
use crate::talk::{Answer, Context, Exit, Failure, Fields, Render, Screen, ago};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl backup verify /var/backups/mesh/meshctl-20261121T031500000Z.tar.age --age-identity ops.key
  meshctl backup verify mesh.tar.age --age-identity ops.key --json | jq .proof.events

Decrypts it into a private folder, opens the database in it with the keys beside it as a start
would, walks the whole log, and removes all of it again. The receipt beside the backup then says
when. Ends with 1 when it cannot be restored, or when an entry of its log does not fit.")]
pub struct Args {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    opener: Opener,
}

/// What was found.
#[derive(Serialize)]
struct Verified {
    restorable: bool,
    file: PathBuf,
    made: Timestamp,
    server_url: String,
    proof: Proof,
}

pub fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let whole = measure(&args.file)?;
    let known = Receipt::beside(&args.file)?;
    if known.as_ref().is_some_and(|receipt| receipt.sha256 != whole.sha256) {
        let detail = format!("{} is not the file that its receipt was written for", args.file.display());
        return Err(Failure::failed(detail).code("damaged").hint(
            "it was changed or exchanged after it was made: take another backup, `meshctl backup list` shows them",
        ));
    }
    let (manifest, proof) = opened(&args.file, &args.opener)?;
    let recipients = known.map(|receipt| receipt.recipients).unwrap_or_default();
    let verified = Some(Timestamp::now());
    let receipt = Receipt { proof: proof.clone(), verified, ..Receipt::of(&manifest, whole, recipients) };
    receipt.keep(&args.file)?;
    let restorable = proof.first_bad.is_none();
    let exit = if restorable { Exit::Ok } else { Exit::Failed };
    let Manifest { made, server_url, .. } = manifest;
    let found = Verified { restorable, file: args.file, made, server_url, proof };
    Ok(Answer::of(context, &found)?.exit(exit))
}

/// What is in an archive, unpacked and opened in a folder that is gone afterwards.
pub fn opened(archive: &Path, opener: &Opener) -> Result<(Manifest, Proof), Failure> {
    let reader = opener.open(archive)?;
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { env::temp_dir() };
    let scratch = Scratch::inside(&parent)
        .map_err(|e| Failure::failed(format!("cannot make a folder in {}: {e}", parent.display())))?;
    let manifest = extract(reader, scratch.path()).map_err(|e| failure(&e))?;
    let proof = prove(scratch.path()).map_err(|e| failure(&e))?;
    Ok((manifest, proof))
}

/// What a backup holds.
pub fn words(proof: &Proof, made: Timestamp, screen: &Screen) -> String {
    let counts = format!(
        "{} devices, {} people, {} roles, {} keys, {} API keys",
        proof.nodes, proof.users, proof.roles, proof.keys, proof.apikeys
    );
    let log = match &proof.first_bad {
        None => format!("{} entries, all fit", proof.events),
        Some(bad) => format!("NOT INTACT: entry {} does not fit: {}", bad.seq, bad.reason),
    };
    let aside = (proof.set_aside > 0).then(|| format!("{} records cannot be read", proof.set_aside));
    Fields::default()
        .add("as of", format!("{made} ({})", ago(screen.now, made)))
        .add("database", &proof.database)
        .add("Noise key", proof.public_key)
        .add("holds", counts)
        .add("log", log)
        .add_if("set aside", aside)
        .render(screen)
}

impl Render for Verified {
    fn render(&self, screen: &Screen) -> String {
        let verdict = if self.restorable { "can be restored" } else { "opens, and its log was changed" };
        format!("{} {verdict}\n{}", self.file.display(), words(&self.proof, self.made, screen))
    }
}
