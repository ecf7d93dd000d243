//! `meshctl key verify` and `meshctl apikey verify`: whether a credential would be taken now.

use std::path::PathBuf;

use api::{
    Operation, apikey,
    key::{self, Plaintext, Verify},
};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::talk::{Answer, Context, Exit, Failure, Render, Screen, read_secret};

#[derive(clap::Args)]
pub struct Args {
    /// File that holds it, `-` for standard input
    file: PathBuf,
}

/// What the server says of a credential.
pub trait Verdict: Serialize + DeserializeOwned {
    /// What such a credential is called, with its article.
    const NOUN: (&'static str, &'static str);
    fn works(&self) -> bool;
    /// Its number and its end, when it is one of ours.
    fn known(&self) -> Option<(String, Timestamp)>;
    /// Why it would not be taken.
    fn reason(&self) -> Option<&str>;
}

impl Verdict for key::Verdict {
    const NOUN: (&'static str, &'static str) = ("a", "key");
    fn works(&self) -> bool {
        self.works
    }
    fn known(&self) -> Option<(String, Timestamp)> {
        self.key.as_ref().map(|key| (key.id.to_string(), key.expires))
    }
    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

impl Verdict for apikey::Verdict {
    const NOUN: (&'static str, &'static str) = ("an", "API key");
    fn works(&self) -> bool {
        self.works
    }
    fn known(&self) -> Option<(String, Timestamp)> {
        self.apikey.as_ref().map(|key| (key.id.to_string(), key.expires))
    }
    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

#[derive(Serialize)]
struct Shown<V>(V);

pub async fn run<V: Verdict>(
    context: &Context,
    operation: &Operation<Verify, V>,
    args: Args,
) -> Result<Answer, Failure> {
    let secret = Plaintext::new(read_secret(&args.file)?.expose().clone());
    let verdict = context.read(operation, &[], &Verify { secret }).await?;
    let exit = if verdict.works() { Exit::Ok } else { Exit::Failed };
    Ok(Answer::of(context, &Shown(verdict))?.exit(exit))
}

impl<V: Verdict> Render for Shown<V> {
    fn render(&self, _: &Screen) -> String {
        let (article, noun) = V::NOUN;
        match (self.0.known(), self.0.reason()) {
            (Some((id, expires)), None) => format!("{noun} {id} works until {expires}\n"),
            (_, reason) => {
                format!("{article} {noun} that does not work: {}\n", reason.unwrap_or("not known here"))
            }
        }
    }
}
