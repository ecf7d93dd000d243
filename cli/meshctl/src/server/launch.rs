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

use super::notify::{State, notify};
use crate::talk::{Failure, read_text};

/// What the command line may say about a server.
#[derive(Clone, clap::Args)]
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
    pub fn resolve(&self) -> Result<Config, Failure> {
        self.of(self.text()?).map_err(mistaken)
    }

    /// The same as it is at this moment; a file that cannot be read is a mistake like others.
    pub fn again(&self) -> Result<Config, Vec<Mistake>> {
        let text = self.text().map_err(|failure| {
            let place = self.config.as_ref().map_or_else(String::new, |path| path.display().to_string());
            vec![Mistake { place, key: String::new(), message: failure.detail, hint: failure.hint }]
        });
        self.of(text?)
    }

    fn text(&self) -> Result<Option<String>, Failure> {
        self.config.as_deref().map(read_text).transpose()
    }

    fn of(&self, text: Option<String>) -> Result<Config, Vec<Mistake>> {
        let Settings { config, data_dir, listen, server_url } = self.clone();
        let file = match config.as_deref().zip(text) {
            Some((path, text)) => File::parse(path, &text)?,
            None => File::default(),
        };
        resolve(&file, &Flags { config_path: config, server_url, listen, data_dir })
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

/// Signals that ask for another reading of what was read at the start.
pub struct HangupSignals(Signal);

impl HangupSignals {
    /// From now on the signal arrives here instead of ending the program.
    pub fn watch() -> Result<Self, Failure> {
        Ok(Self(watch(SignalKind::hangup())?))
    }
    /// Waits for the next one.
    pub async fn next(&mut self) {
        _ = self.0.recv().await;
    }
    /// Reloads at each one, for ever. What comes of it is in the log.
    async fn follow(&mut self, server: &Server) {
        loop {
            self.next().await;
            notify(State::Reloading);
            let _ = server.reload().await;
            notify(State::Ready);
        }
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
        Ok(Self { interrupt: watch(SignalKind::interrupt())?, terminate: watch(SignalKind::terminate())? })
    }
    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn watch(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|e| Failure::failed(format!("cannot watch for signals: {e}")))
}

/// Serves until a signal comes, then stops in order; a second signal ends the waiting.
pub async fn serve(
    server: Server,
    mut signals: StopSignals,
    reloads: Option<HangupSignals>,
) -> Result<(), Failure> {
    notify(State::Ready);
    let reloading = async {
        match reloads {
            Some(mut reloads) => reloads.follow(&server).await,
            None => std::future::pending().await,
        }
    };
    let failed = tokio::select! {
        () = signals.next() => None,
        cause = server.failed() => Some(cause),
        () = reloading => None,
    };
    notify(State::Stopping);
    tokio::select! {
        () = server.stop() => {}
        () = signals.next() => return Err(Failure::failed("ended before everything was stopped")),
    }
    match failed {
        Some(cause) => Err(fault(&cause)),
        None => Ok(()),
    }
}
