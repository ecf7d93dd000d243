//! `meshctl key create`.

use std::path::PathBuf;

use api::{
    Changed,
    key::{CREATE, Create, Created},
};
use serde::Serialize;

use super::preview::access;
use crate::talk::{Answer, Check, Context, Deed, Failure, Lifetime, Render, Screen, SecretFile, join, span};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl key create --role server
  meshctl key create --role developer --user alice --expires 24h --out alice.key
  meshctl key create --role server --single-use --check

The key is printed once, or written to --out, readable by its owner alone. A role gives the defaults
and the limits: a key may live shorter, be used once instead of often, or be ephemeral, never the
other way round.")]
pub struct Args {
    /// What its devices will be; `meshctl role list` shows the roles
    #[arg(long)]
    role: String,
    /// The person responsible; grants nothing
    #[arg(long)]
    user: Option<String>,
    /// Lifetime, for example 90s, 24h, 7d [default: the role's]
    #[arg(long, value_name = "TIME")]
    expires: Option<Lifetime>,
    /// May let several devices in
    #[arg(long, conflicts_with = "single_use")]
    reusable: bool,
    /// Lets one device in
    #[arg(long)]
    single_use: bool,
    /// Its devices are forgotten when they go away
    #[arg(long)]
    ephemeral: bool,
    /// Write the key to this file (0600) instead of the screen
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Make it even if its devices could reach nothing and be reached by nothing
    #[arg(long)]
    allow_no_access: bool,
    #[command(flatten)]
    check: Check,
}

/// The key that was made, and where its secret went.
#[derive(Serialize)]
struct Made {
    #[serde(flatten)]
    change: Changed<Created>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(skip)]
    role: String,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let reusable = (args.reusable || args.single_use).then_some(args.reusable);
    let input = Create {
        role: args.role,
        user: args.user,
        expiry_seconds: args.expires.map(|l| l.seconds),
        reusable,
        ephemeral: args.ephemeral.then_some(true),
        allow_no_access: args.allow_no_access,
    };
    let out = args.out.filter(|_| !args.check.check);
    let place = out.as_deref().map(SecretFile::prepare).transpose()?;
    let mut change = context.write(&CREATE, &[], &input, args.check).await?;
    if let Some(place) = place
        && let Some(secret) = change.outcome.secret.take()
    {
        let lost =
            "the key was made and is lost: `meshctl key list` shows its id, `meshctl key revoke ID` voids it";
        place.commit(secret.expose()).map_err(|f| f.hint(lost))?;
    }
    Answer::of(context, &Made { change, file: out, role: input.role })
}

impl Render for Made {
    fn render(&self, screen: &Screen) -> String {
        let thing = match &self.change.outcome.key {
            Some(k) => {
                let uses = if k.reusable { "reusable" } else { "single use" };
                let life = span(k.expires.duration_since(k.created).as_secs_f64().round() as u64);
                format!("key {} for role {} ({}): {uses}, for {life}", k.id, k.role, join(&k.tags))
            }
            None => format!("a key for role {}", self.role),
        };
        let deed = Deed { verb: "create", past: "created", thing };
        let mut text = deed.sentence(self.change.changed, self.change.check);
        text.push_str(&access(&self.change.outcome.access, screen));
        match (&self.file, &self.change.outcome.secret) {
            (Some(file), _) => text.push_str(&format!("\nwritten to {}\n", file.display())),
            (None, Some(secret)) => {
                text.push_str(&format!("\n{}\n\nThis is the only time it is shown.\n", secret.expose()));
            }
            (None, None) => {}
        }
        text
    }
}
