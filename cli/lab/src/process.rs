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

/// A process on a host. Dropping it kills it, unless it is kept.
///
/// What is held is `nsenter`, which entered the host and waits for the real one.
#[derive(Debug)]
pub struct Process {
    name: String,
    held: Held,
    log: PathBuf,
    kept: bool,
}

#[derive(Debug)]
enum Held {
    /// Started by this program.
    Child(Child),
    /// Started by another one: its number, and when the kernel says it began.
    Found(i32, u64),
}

impl Process {
    pub(crate) fn new(name: String, child: Child, log: PathBuf) -> Self {
        Self { name, held: Held::Child(child), log, kept: false }
    }

    /// The process that an earlier program kept beside `log`, if it still runs.
    pub(crate) fn found(name: String, log: PathBuf) -> Result<Option<Self>> {
        let Ok(text) = fs::read_to_string(log.with_extension("pid")) else { return Ok(None) };
        let mut numbers = text.split_whitespace();
        let (Some(Ok(pid)), Some(Ok(began))) =
            (numbers.next().map(str::parse), numbers.next().map(str::parse))
        else {
            bail!("{} names no process", log.with_extension("pid").display());
        };
        let found = Self { name, held: Held::Found(pid, began), log, kept: true };
        Ok(runs(pid, Some(began)).then_some(found))
    }

    /// Lets it outlive this program. Another program finds it again by its name on its host.
    pub fn keep(&mut self) -> Result<()> {
        let pid = self.number();
        let began = began(pid).with_context(|| format!("{} has ended", self.name))?;
        fs::write(self.log.with_extension("pid"), format!("{pid} {began}\n"))?;
        self.kept = true;
        Ok(())
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
        until(Duration::from_secs(5), &self.name, || only_child(self.number().cast_unsigned()).map(Some))
    }

    pub fn runs(&mut self) -> Result<bool> {
        match &mut self.held {
            Held::Child(child) => Ok(child.try_wait()?.is_none()),
            Held::Found(pid, began) => Ok(runs(*pid, Some(*began))),
        }
    }

    /// Sends `signal` to the process.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid()?;
        kill(Pid::from_raw(pid), signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Waits for the end by itself, at most `limit`. How a process ended that another program started is not known.
    pub fn wait(&mut self, limit: Duration) -> Result<Ended> {
        let Held::Child(child) = &mut self.held else { bail!("{} was started elsewhere", self.name) };
        let Some(ended) = command::wait(child, limit)? else {
            bail!("{} still runs after {limit:?}", self.name);
        };
        Ok(ended)
    }

    /// SIGKILL: the process gets no chance to tidy up. Returns when it is gone.
    pub fn kill(&mut self) -> Result<()> {
        if !self.runs()? {
            return Ok(());
        }
        if let Ok(pid) = only_child(self.number().cast_unsigned()) {
            kill(Pid::from_raw(pid), Signal::SIGKILL)?;
        }
        until(Duration::from_secs(10), &format!("{} to end", self.name), || Ok((!self.runs()?).then_some(())))
    }

    /// SIGTERM, then waits at most `limit` for the end.
    pub fn stop(&mut self, limit: Duration) -> Result<Ended> {
        self.signal(Signal::SIGTERM)?;
        self.wait(limit)
    }

    fn number(&self) -> i32 {
        match &self.held {
            Held::Child(child) => child.id().cast_signed(),
            Held::Found(pid, _) => *pid,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Held::Child(child) = &mut self.held else { return };
        if !self.kept && matches!(child.try_wait(), Ok(None)) {
            let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
            let _ = child.wait();
        }
    }
}

/// True while this process runs; with a time, only if it is the one that began then and not a later one of its number.
pub(crate) fn runs(pid: i32, since: Option<u64>) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let Some(fields) = fields(&stat) else { return false };
    let same = since.is_none_or(|since| fields.1 == since);
    same && !matches!(fields.0, "Z" | "X")
}

fn began(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    fields(&stat).map(|(_, began)| began)
}

/// State and beginning, in ticks since the machine's, out of `/proc/N/stat`. The name before them may hold anything.
fn fields(stat: &str) -> Option<(&str, u64)> {
    let mut rest = stat.rsplit_once(") ")?.1.split_whitespace();
    let state = rest.next()?;
    Some((state, rest.nth(18)?.parse().ok()?))
}

/// The one child of a process that starts exactly one.
pub(crate) fn only_child(parent: u32) -> Result<i32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    let first =
        children.split_whitespace().next().with_context(|| format!("process {parent} has no child"))?;
    Ok(first.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_state_and_beginning_behind_any_name() {
        let stat =
            "7 (a) S 1 (x) y) R 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 10 1 18446744073709551615\n";
        assert_eq!(fields(stat), Some(("R", 4242)));
        assert_eq!(fields("7 (cut"), None);
    }

    #[test]
    fn a_number_that_was_given_anew_is_another_process() {
        let own = i32::try_from(std::process::id()).unwrap();
        let since = began(own).unwrap();
        assert!(runs(own, Some(since)) && runs(own, None));
        assert!(!runs(own, Some(since + 1)));
    }
}
