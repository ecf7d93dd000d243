//! Processes that stay: on a host, logged to a file, ended by number.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::command;
use crate::patience::until;

/// How a process ended.
pub type Ended = ExitStatus;

/// A process on a host. Dropping it kills it.
///
/// The child that is held is `nsenter`, which entered the host and waits for the real one.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn new(name: String, child: Child, log: PathBuf) -> Self {
        Self { name, child, log }
    }

    /// Where both output streams go.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// All that was logged so far.
    pub fn logged(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    /// Number of the process as seen from outside of the host.
    pub fn pid(&self) -> Result<i32> {
        until(Duration::from_secs(5), &self.name, || only_child(self.child.id()).map(Some))
    }

    pub fn runs(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Sends `signal` to the process.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid()?;
        kill(Pid::from_raw(pid), signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Waits for the end by itself, at most `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<Ended> {
        let Some(ended) = command::wait(&mut self.child, limit)? else {
            bail!("{} still runs after {limit:?}", self.name);
        };
        Ok(ended)
    }

    /// SIGKILL: the process gets no chance to tidy up. Returns when it is gone.
    pub fn kill(&mut self) -> Result<Ended> {
        if let Some(ended) = self.child.try_wait()? {
            return Ok(ended);
        }
        if let Ok(pid) = only_child(self.child.id()) {
            kill(Pid::from_raw(pid), Signal::SIGKILL)?;
        }
        self.wait(Duration::from_secs(10))
    }

    /// SIGTERM, then waits at most `limit` for the end.
    pub fn stop(&mut self, limit: Duration) -> Result<Ended> {
        self.signal(Signal::SIGTERM)?;
        self.wait(limit)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// The one child of a process that starts exactly one.
pub(crate) fn only_child(parent: u32) -> Result<i32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    let first =
        children.split_whitespace().next().with_context(|| format!("process {parent} has no child"))?;
    Ok(first.parse()?)
}
