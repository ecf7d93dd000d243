//! The process of a target and those who watch it. Before every input the process writes it down, so that the input is
//! known whatever becomes of the process.

use std::{
    fs::{self, File},
    io,
    os::unix::{fs::FileExt, process::ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, setrlimit};

use crate::{Finding, campaign::listen_to_panics};

/// Exit code of a process that found something; it has said what.
pub(crate) const FOUND: i32 = 10;
/// Address space of a target's process: far above what any input needs.
const MOST_MEMORY: u64 = 1 << 30;
/// As much as a thread of the server has.
const STACK: usize = 2 << 20;
/// An input that uses so many times the CPU time that one may take is taken to be endless.
const ENDLESS: u32 = 8;
/// One that waits so long without using any is too.
const STUCK: Duration = Duration::from_secs(300);
const HEADER: usize = 16;

/// Where the input at hand stands: a count of inputs, its length, itself.
pub(crate) struct Notebook {
    file: File,
    count: u64,
}

impl Notebook {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self { file, count: 0 })
    }

    pub(crate) fn note(&mut self, input: &[u8]) -> io::Result<()> {
        self.count += 1;
        let mut page = Vec::with_capacity(HEADER + input.len());
        page.extend_from_slice(&self.count.to_le_bytes());
        page.extend_from_slice(&(input.len() as u64).to_le_bytes());
        page.extend_from_slice(input);
        self.file.write_all_at(&page, 0)
    }
}

/// The input that was noted last, and its number; none before the first.
pub(crate) fn noted(path: &Path) -> Option<(u64, Vec<u8>)> {
    let page = fs::read(path).ok()?;
    let (count, rest) = page.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let input = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    Some((u64::from_le_bytes(*count), input.to_vec()))
}

/// Runs the work as the process of a target does: bounded in memory, on a stack like the server's.
pub(crate) fn confined(work: impl FnOnce() -> Result<i32> + Send + 'static) -> Result<i32> {
    setrlimit(Resource::RLIMIT_AS, MOST_MEMORY, MOST_MEMORY).context("bounding the memory")?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("turning core dumps off")?;
    listen_to_panics();
    let worker = thread::Builder::new().stack_size(STACK).spawn(work).context("starting a thread")?;
    worker.join().map_err(|_| anyhow::anyhow!("the fuzzer itself panicked"))?
}

/// Waits for the process; ends it when one input does not end. Answers what it printed, or what was found.
pub(crate) fn watch(
    mut command: Command,
    notebook: &Path,
    per_input: Duration,
) -> Result<Result<String, Finding>> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut last = (0, Instant::now(), Duration::ZERO);
    loop {
        if child.try_wait()?.is_some() {
            let output = child.wait_with_output()?;
            let (said, cried) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            return Ok(conclude(output.status, &said, &cried));
        }
        thread::sleep(Duration::from_millis(20));
        let (count, used) = (noted_count(notebook), cpu_of(&child));
        if count != last.0 {
            last = (count, Instant::now(), used);
        }
        let busy = used.saturating_sub(last.2);
        if busy > per_input * ENDLESS || last.1.elapsed() > STUCK {
            child.kill()?;
            child.wait()?;
            return Ok(Err(Finding::Endless(busy)));
        }
    }
}

fn noted_count(path: &Path) -> u64 {
    let mut count = [0; 8];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut count, 0));
    read.map_or(0, |()| u64::from_le_bytes(count))
}

fn conclude(status: ExitStatus, said: &str, cried: &str) -> Result<String, Finding> {
    if status.success() {
        return Ok(said.to_owned());
    }
    let text = said.trim();
    if status.code() == Some(FOUND) {
        return Err(match text.split_once(' ') {
            Some(("panic", what)) => Finding::Panic(what.to_owned()),
            Some(("slow", ms)) => Finding::Slow(Duration::from_millis(ms.parse().unwrap_or_default())),
            _ => Finding::Law(text.strip_prefix("law ").unwrap_or(text).to_owned()),
        });
    }
    let how = match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (_, code) => format!("exit code {}", code.unwrap_or_default()),
    };
    Err(Finding::Died(format!("{how}; {}", cried.trim())))
}

/// CPU time of a process so far.
fn cpu_of(child: &Child) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    // The name of the process ends at the last parenthesis; user and system time are the 12th and 13th word behind it.
    let rest = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks: u64 =
        rest.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
