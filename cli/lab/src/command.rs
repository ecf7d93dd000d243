//! Commands that end: run under a limit, output kept.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

const POLL: Duration = Duration::from_millis(10);
/// What is kept of each output stream; the rest is read and dropped.
const KEPT: u64 = 8 << 20;

/// What a command left behind.
#[derive(Debug)]
pub struct Output {
    /// The command as typed, for messages.
    pub command: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// The output of a command that succeeded; an error with both streams otherwise.
    pub fn ok(self) -> Result<Self> {
        if !self.success() {
            bail!("`{}` gave {}\n{}{}", self.command, self.status, self.stdout, self.stderr);
        }
        Ok(self)
    }
}

/// Runs `command` with `input` on its standard input. After `limit` it and its children are killed and that is an
/// error.
pub(crate) fn run(mut command: Command, input: &str, limit: Duration) -> Result<Output> {
    let typed = typed(&command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().with_context(|| format!("cannot start `{typed}`"))?;
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    if let Some(mut stdin) = child.stdin.take() {
        // a command that does not read its input closes it early, which is its right
        let _ = stdin.write_all(input.as_bytes());
    }
    let status = wait(&mut child, limit)?;
    if status.is_none() {
        end_group(&mut child);
    }
    let (stdout, stderr) = (text(stdout), text(stderr));
    let Some(status) = status else { bail!("`{typed}` took longer than {limit:?}\n{stdout}{stderr}") };
    Ok(Output { command: typed, status, stdout, stderr })
}

/// The status of `child` once it has ended, nothing if it still runs after `limit`.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        sleep(POLL);
    }
}

/// Kills a process that leads its own group, and the whole group.
fn end_group(child: &mut Child) {
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    let _ = child.wait();
}

/// The command line for messages.
fn typed(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        let _ = stream.by_ref().take(KEPT).read_to_end(&mut kept);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
        kept
    })
}

fn text(stream: Option<JoinHandle<Vec<u8>>>) -> String {
    let bytes = stream.and_then(|thread| thread.join().ok()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn keeps_both_streams_and_the_status() {
        let output = run(shell("cat; echo bad >&2; exit 3"), "hello", Duration::from_secs(5)).unwrap();
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("hello", "bad\n"));
        assert_eq!(output.status.code(), Some(3));
        assert!(output.ok().unwrap_err().to_string().contains("bad"));
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_its_children() {
        let before = Instant::now();
        let told = run(shell("sleep 60 & echo started; wait"), "", Duration::from_secs(2)).unwrap_err();
        assert!(before.elapsed() < Duration::from_secs(30));
        assert!(told.to_string().contains("started"), "{told}");
    }
}
