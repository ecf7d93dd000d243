//! What every verb is given: the flags that all share, the server they lead to, the screen.

use std::{env, path::PathBuf, sync::OnceLock};

use api::{Changed, Operation};
use clap::Args;
use ident::Secret;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Client, Events, Failure, Screen,
    client::Download,
    profile::Profiles,
    target::{Purpose, Surroundings, Target},
};

/// Flags that every verb takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Where to talk to, and how to answer")]
pub struct Options {
    /// Answer with one line of JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// URL of the server; needs an API key. Before MESHCTL_SERVER
    #[arg(long, global = true, value_name = "URL", conflicts_with_all = ["socket", "profile"])]
    pub server: Option<String>,
    /// File with the API key, `-` for standard input. Before MESHCTL_API_KEY_FILE
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "socket")]
    pub api_key_file: Option<PathBuf>,
    /// Local socket of the server
    #[arg(long, global = true, value_name = "PATH", conflicts_with = "profile")]
    pub socket: Option<PathBuf>,
    /// Entry of ~/.config/meshctl/config.yaml
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Which mesh of that server [default: default]
    #[arg(long, global = true, value_name = "NAME")]
    pub tailnet: Option<String>,
}

/// The flag of verbs that change something.
#[derive(Debug, Clone, Copy, Args)]
pub struct Check {
    /// Say what would change, change nothing
    #[arg(long)]
    pub check: bool,
}

/// What a verb works with.
pub struct Context {
    options: Options,
    screen: Screen,
    target: OnceLock<Target>,
}

impl Context {
    /// With these flags; nothing is looked up yet.
    pub fn new(options: Options) -> Self {
        let screen = Screen::of_this_terminal(options.json);
        Self { options, screen, target: OnceLock::new() }
    }
    /// A context that talks to this server, with the flags of another one.
    pub fn with_target(&self, target: Target) -> Self {
        Self { options: self.options.clone(), screen: self.screen.clone(), target: OnceLock::from(target) }
    }
    /// Where answers go.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }
    /// The server that was talked to, if one was.
    pub fn target(&self) -> Option<&Target> {
        self.target.get()
    }
    /// Calls an operation that changes nothing. `names` fill the path behind the tailnet.
    pub async fn read<I: Serialize, O: DeserializeOwned>(
        &self,
        operation: &Operation<I, O>,
        names: &[&str],
        input: &I,
    ) -> Result<O, Failure> {
        let target = self.find(Purpose::Read)?;
        Client::open(target)?.call(operation, names, input, None).await
    }
    /// Calls an operation that changes nothing, over the network with this key.
    pub async fn read_as<I: Serialize, O: DeserializeOwned>(
        &self,
        operation: &Operation<I, O>,
        names: &[&str],
        input: &I,
        key: Secret<String>,
    ) -> Result<O, Failure> {
        let target = self.find(Purpose::Read)?;
        Client::open_as(target, key)?.call(operation, names, input, None).await
    }
    /// Calls an operation that changes something.
    pub async fn write<I: Serialize, O: DeserializeOwned>(
        &self,
        operation: &Operation<I, Changed<O>>,
        names: &[&str],
        input: &I,
        check: Check,
    ) -> Result<Changed<O>, Failure> {
        let purpose = if check.check { Purpose::Read } else { Purpose::Write };
        let target = self.find(purpose)?;
        Client::open(target)?.call(operation, names, input, Some(check.check)).await
    }
    /// Opens an operation that answers an endless stream.
    pub async fn follow<I: Serialize, O: DeserializeOwned>(
        &self,
        operation: &Operation<I, O>,
        input: &I,
    ) -> Result<Events<O>, Failure> {
        let target = self.find(Purpose::Read)?;
        Client::open(target)?.follow(operation, input).await
    }

    /// Calls an operation that answers a file; the header `described` says what it is.
    pub async fn download<I: Serialize, O: DeserializeOwned>(
        &self,
        operation: &Operation<I, Changed<O>>,
        input: &I,
        described: &str,
    ) -> Result<Download<O>, Failure> {
        let target = self.find(Purpose::Write)?;
        Client::open(target)?.download(operation, input, described).await
    }

    fn find(&self, purpose: Purpose) -> Result<&Target, Failure> {
        if let Some(target) = self.target.get() {
            return Ok(target);
        }
        let around = Surroundings {
            server: env::var("MESHCTL_SERVER").ok().filter(|v| !v.is_empty()),
            api_key_file: env::var_os("MESHCTL_API_KEY_FILE").filter(|v| !v.is_empty()).map(PathBuf::from),
            profiles: Profiles::load()?,
            sockets: Surroundings::local_sockets(),
        };
        let found = Target::find(&self.options, &around, purpose)?;
        for note in &found.notes {
            self.screen.note(note);
        }
        Ok(self.target.get_or_init(|| found))
    }
}
