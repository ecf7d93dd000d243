//! `meshctl agent instruct`.

use std::path::PathBuf;

use api::server;
use jiff::{SignedDuration, Timestamp};
use readiness::check::agent::recovery::Order;
use serde::Serialize;

use super::instruction::{Instruction, Signer};
use crate::talk::{Answer, Check, Context, Failure, Lifetime, Render, Screen, SecretFile, read_secret};

#[derive(clap::Args)]
#[command(override_usage = "meshctl agent instruct [OPTIONS] --operator-key <FILE> --node <NAME>
       --auth-key-file <FILE> --out <FILE>")]
#[command(after_help = "Examples:
  meshctl agent instruct --operator-key operator.key --node web-1 --auth-key-file web-1.key \\
      --out web-1.json --check
  meshctl agent instruct --operator-key operator.key --node web-1 --auth-key-file web-1.key \\
      --out web-1.json

After a reset: asks the server which mesh it is, and signs an instruction by which the agents of
these machines join it. The file holds the auth key, so it goes to its machine as
recovery.instruction (0600, root's) and nowhere else. An agent follows it once, while it holds, and
only when its own mesh is gone; it never brings back a machine that was removed from the mesh that
is there.")]
pub struct Args {
    /// The operator's private key, as `meshctl agent operator-key` wrote it
    #[arg(long, value_name = "FILE")]
    operator_key: PathBuf,
    /// Machine that is meant, by its name in the mesh; several times, or `*` for all
    #[arg(long, value_name = "NAME", required = true)]
    node: Vec<String>,
    /// File with the pre-auth key that lets it in
    #[arg(long, value_name = "FILE")]
    auth_key_file: PathBuf,
    /// How long the instruction holds
    #[arg(long, value_name = "TIME", default_value = "24h")]
    expires: Lifetime,
    /// Where to write it (0600)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    check: Check,
}

/// An instruction that was written.
#[derive(Serialize)]
struct Written {
    changed: bool,
    check: bool,
    file: PathBuf,
    id: String,
    nodes: Vec<String>,
    server_url: String,
    database: String,
    expires: Timestamp,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let signer = Signer::parse(&read_secret(&args.operator_key)?)
        .map_err(|why| Failure::usage(format!("{}: {why}", args.operator_key.display())))?;
    let auth_key = read_secret(&args.auth_key_file)?;
    let status = context.read(&server::STATUS, &[], &()).await?;
    let now = Timestamp::now();
    let seconds = i64::try_from(args.expires.seconds).unwrap_or(i64::MAX);
    let expires = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    let mut random = [0u8; 8];
    getrandom::fill(&mut random).map_err(|e| Failure::failed(format!("no random bytes: {e}")))?;
    let id: String = random.iter().map(|b| format!("{b:02x}")).collect();
    // A machine whose clock is a little slow should not have to wait.
    let not_before = now.checked_sub(SignedDuration::from_secs(60)).unwrap_or(now);
    let order = Order {
        server_url: status.server_url.clone(),
        public_key: status.public_key.to_string(),
        database: status.database.clone(),
        nodes: args.node.clone(),
        not_before,
        expires,
    };
    let instruction = Instruction { id: id.clone(), order, auth_key };
    let sealed = signer.seal(&instruction).map_err(Failure::failed)?;
    if !args.check.check {
        SecretFile::prepare(&args.out)?.commit(sealed.expose())?;
    }
    let (server_url, database) = (status.server_url, status.database);
    let written = Written {
        changed: true,
        check: args.check.check,
        file: args.out,
        id,
        nodes: args.node,
        server_url,
        database,
        expires,
    };
    Answer::of(context, &written)
}

impl Render for Written {
    fn render(&self, _: &Screen) -> String {
        let deed = if self.check { "would write" } else { "wrote" };
        let nodes = self.nodes.join(", ");
        format!(
            "{deed} {}: {nodes} may join {} until {}\n",
            self.file.display(),
            self.server_url,
            self.expires
        )
    }
}
