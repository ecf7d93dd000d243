//! `meshctl apikey create`.

use std::path::PathBuf;

use api::{
    Changed,
    apikey::{CREATE, Create, Created},
};
use ident::Scope;
use serde::Serialize;

use crate::talk::{Answer, Check, Context, Deed, Failure, Lifetime, Render, Screen, SecretFile};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  meshctl apikey create --out ~/.config/meshctl/prod.key
  meshctl apikey create --description headplane --expires 30d --out headplane.key
  meshctl apikey create --scope node:read --scope key:write --out joiner.key

A scope is all, all:read, or NOUN:read or NOUN:write with a noun of this command line, such as node,
key or policy; whoever may write may read. A key cannot make one that may do more than itself.

The credential is printed once, or written to --out, readable by its owner alone.")]
pub struct Args {
    /// What it is for, for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// What it may do; once or more often [default: all that its maker may]
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<Scope>,
    /// Lifetime, for example 24h, 30d [default: 90d]
    #[arg(long, value_name = "TIME")]
    expires: Option<Lifetime>,
    /// Write the credential to this file (0600) instead of the screen
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    check: Check,
}

/// The credential that was made, and where its secret went.
#[derive(Serialize)]
struct Made {
    #[serde(flatten)]
    change: Changed<Created>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

pub async fn run(context: &Context, args: Args) -> Result<Answer, Failure> {
    let expiry_seconds = args.expires.map(|l| l.seconds);
    let scopes = (!args.scopes.is_empty()).then(|| args.scopes.into_iter().collect());
    let input = Create { description: args.description, scopes, expiry_seconds };
    let out = args.out.filter(|_| !args.check.check);
    let place = out.as_deref().map(SecretFile::prepare).transpose()?;
    let mut change = context.write(&CREATE, &[], &input, args.check).await?;
    if let Some(place) = place
        && let Some(secret) = change.outcome.secret.take()
    {
        let lost = "the API key was made and is lost: `meshctl apikey list` shows its id, `meshctl apikey revoke ID` voids it";
        place.commit(secret.expose()).map_err(|f| f.hint(lost))?;
    }
    Answer::of(context, &Made { change, file: out })
}

impl Render for Made {
    fn render(&self, _: &Screen) -> String {
        let outcome = &self.change.outcome;
        let thing = match &outcome.apikey {
            Some(k) => format!("API key {} ({}), good until {}", k.id, k.scopes, k.expires),
            None => "an API key".to_owned(),
        };
        let deed = Deed { verb: "create", past: "created", thing };
        let mut text = deed.sentence(self.change.changed, self.change.check);
        match (&self.file, &outcome.secret) {
            (Some(file), _) => text.push_str(&format!("written to {}\n", file.display())),
            (None, Some(secret)) => {
                text.push_str(&format!("\n{}\n\nThis is the only time it is shown.\n", secret.expose()));
            }
            (None, None) => {}
        }
        text
    }
}
