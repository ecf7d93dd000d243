//! The server under test: a process of its own, on loopback, with a data folder that goes with it.

mod admin;

use std::{
    fs::{self, File},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::gauge::Gauge;
pub use admin::Admin;

const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running server. Dropping it kills the process and removes its data.
pub struct Server {
    pub url: String,
    child: Child,
    pid: u32,
    folder: TempDir,
}

impl Server {
    /// Starts this program and waits until it serves. Everything but its addresses and these lines of its configuration
    /// is left at the defaults.
    pub async fn spawn(program: &Path, settings: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("swarm-").tempdir()?;
        let [listen, relay, stun] = [free_port(), free_port(), free_port()];
        let url = format!("http://127.0.0.1:{listen}");
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        let config = format!(
            "server_url: {url}\nlisten: 127.0.0.1:{listen}\ndata_dir: {}\n\
             relay:\n  listen: 127.0.0.1:{relay}\n  stun: 127.0.0.1:{stun}\n{settings}",
            data.display()
        );
        fs::write(folder.path().join("config.yaml"), config)?;
        let mut child = Command::new(program)
            .args(["server", "run", "--log", "warn", "--config"])
            .arg(folder.path().join("config.yaml"))
            .env_remove("MESHCTL_SERVER")
            .env_remove("MESHCTL_API_KEY_FILE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("log"))?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let stdout = child.stdout.take().context("the server's output")?;
        let pid = child.id().context("the server's process id")?;
        let server = Self { url, child, pid, folder };
        let mut line = String::new();
        let mut lines = BufReader::new(stdout);
        let read = timeout(READY_WITHIN, lines.read_line(&mut line)).await;
        if !matches!(read, Ok(Ok(1..))) {
            bail!("the server does not get ready:\n{}", server.log());
        }
        Ok(server)
    }

    /// What it uses.
    pub fn gauge(&self) -> Gauge {
        Gauge::of(self.pid)
    }

    /// Its admin interface.
    pub fn admin(&self) -> Result<Admin> {
        Admin::open(&self.folder.path().join("data").join("control.sock"))
    }

    /// The end of what it has logged.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }
}

/// For TCP and UDP.
pub fn free_port() -> u16 {
    ports::free_address().port()
}
