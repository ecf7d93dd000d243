//! From flags to a configuration, from a configuration to a server that runs until it is told to stop.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

use control::{
    Fault, Server,
    config::{Config, File, Flags, Mistake, resolve},
};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::talk::{Failure, read_text};

/// What the command line may say about a server.
#[derive(clap::Args)]
pub struct Settings {
    /// Configuration file (YAML) [default: none, a server on loopback]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of keys and database, instead of `data_dir` [default: mesh-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where to listen, instead of `listen` [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where clients find the server, instead of `server_url`
    #[arg(long, value_name = "URL")]
    server_url: Option<String>,
}

impl Settings {
    /// The configuration; all mistakes in it at once.
    pub fn resolve(self) -> Result<Config, Failure> {
        let file = match &self.config {
            Some(path) => File::parse(path, &read_text(path)?).map_err(mistaken)?,
            None => File::default(),
        };
        let Settings { config, data_dir, listen, server_url } = self;
        resolve(&file, &Flags { config_path: config, server_url, listen, data_dir }).map_err(mistaken)
    }
}

/// All mistakes of a configuration in the words of the command line.
pub fn mistaken(mistakes: Vec<Mistake>) -> Failure {
    let number = match mistakes.len() {
        1 => "a mistake".to_owned(),
        n => format!("{n} mistakes"),
    };
    let failure = Failure::failed(format!("the configuration has {number}")).code("bad_config");
    mistakes.into_iter().fold(failure, |failure, m| {
        let value = json!({"place": m.place, "key": m.key, "message": m.message, "hint": m.hint});
        failure.place(m.to_string(), value)
    })
}

/// How the server's log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people, on standard error
    Text,
    /// One JSON object a line, on standard error
    Json,
    /// Entries of the systemd journal with their fields
    Journald,
}

/// Writes the server's log in this form. `filter` is `info`, `debug`, `control=trace,warn`.
pub fn log(filter: &str, format: LogFormat) -> Result<(), Failure> {
    let parsed = EnvFilter::try_new(filter).map_err(|e| {
        Failure::usage(format!("`{filter}` is no log filter: {e}")).hint("for example info or debug")
    })?;
    let to_stderr = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(io::stderr);
    let set = match format {
        LogFormat::Text => to_stderr.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => to_stderr.json().flatten_event(true).try_init(),
        LogFormat::Journald => {
            let filter = EnvFilter::try_new(filter).unwrap_or_default();
            let journal = tracing_journald::layer().map_err(|e| {
                Failure::failed(format!("the journal of systemd cannot be reached: {e}"))
                    .hint("use `--log-format text`, or start it as a unit of systemd")
            })?;
            tracing_subscriber::registry().with(filter).with(journal).try_init().map_err(Into::into)
        }
    };
    set.map_err(|e| Failure::failed(e.to_string()))
}

/// Why the server does not run, in the words of the command line.
pub fn fault(fault: &Fault) -> Failure {
    let failure = Failure::failed(fault.to_string()).code("server_fault");
    match fault.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Signals that ask the program to end.
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// From now on the signals arrive here instead of ending the program.
    pub fn watch() -> Result<Self, Failure> {
        let on = |kind| signal(kind).map_err(|e| Failure::failed(format!("cannot watch for signals: {e}")));
        Ok(Self { interrupt: on(SignalKind::interrupt())?, terminate: on(SignalKind::terminate())? })
    }
    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Serves until a signal comes, then stops in order; a second signal ends the waiting.
pub async fn serve(server: Server, mut signals: StopSignals) -> Result<(), Failure> {
    let failed = tokio::select! {
        () = signals.next() => None,
        cause = server.failed() => Some(cause),
    };
    tokio::select! {
        () = server.stop() => {}
        () = signals.next() => return Err(Failure::failed("ended before everything was stopped")),
    }
    match failed {
        Some(cause) => Err(fault(&cause)),
        None => Ok(()),
    }
}
