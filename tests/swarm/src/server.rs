//! The server under test: a process of its own, or threads of this one, with a data folder that goes with it.

mod admin;

use std::{
    fs::{self, File},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use harness::Pipes;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{gauge::Gauge, here::Host};
pub use admin::Admin;

const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running server. Dropping it ends it and removes its data.
pub struct Server {
    pub url: String,
    life: Life,
    folder: TempDir,
}

enum Life {
    Process { child: Child, pid: u32 },
    Here(Pipes),
}

impl Server {
    /// Starts this program and waits until it serves. Everything but its addresses and these lines of its configuration
    /// is left at the defaults.
    pub async fn spawn(program: &Path, settings: &str) -> Result<Self> {
        let (url, folder) = furnished(settings)?;
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
        let server = Self { url, life: Life::Process { child, pid }, folder };
        let mut line = String::new();
        let mut lines = BufReader::new(stdout);
        let read = timeout(READY_WITHIN, lines.read_line(&mut line)).await;
        if !matches!(read, Ok(Ok(1..))) {
            bail!("the server does not get ready:\n{}", server.log());
        }
        Ok(server)
    }

    /// The same on threads of this process.
    pub async fn here(host: &dyn Host, settings: &str) -> Result<Self> {
        let (url, folder) = furnished(settings)?;
        let life = Life::Here(host.start(&folder.path().join("config.yaml"))?);
        Ok(Self { url, life, folder })
    }

    /// How clients reach it, when that is not over sockets.
    pub fn pipes(&self) -> Option<Pipes> {
        match &self.life {
            Life::Process { .. } => None,
            Life::Here(pipes) => Some(pipes.clone()),
        }
    }

    /// What it uses.
    pub fn gauge(&self) -> Gauge {
        match self.life {
            Life::Process { pid, .. } => Gauge::of(pid),
            Life::Here(_) => Gauge::here(),
        }
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
        match &mut self.life {
            Life::Process { child, .. } => Ok(child.try_wait()?),
            Life::Here(_) => Ok(None),
        }
    }
}

/// A folder with a configuration, and the server's URL.
fn furnished(settings: &str) -> Result<(String, TempDir)> {
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
    Ok((url, folder))
}

/// For TCP and UDP.
pub fn free_port() -> u16 {
    ports::free_address().port()
}
