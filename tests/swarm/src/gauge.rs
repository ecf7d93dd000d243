//! What a process has used, as the kernel counts it.

use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    libc::clockid_t,
    time::{ClockId, clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

/// A process to watch, or what of this one is no client.
#[derive(Debug, Clone, Copy)]
pub struct Gauge {
    pid: u32,
    /// Threads of clients count for nobody.
    is_here: bool,
}

/// What servers in this process had used when that was asked last: clocks that are read one after the other may make it
/// less by some microseconds.
static SERVERS_NANOS: AtomicU64 = AtomicU64::new(0);

/// What threads of clients are called where a server is in the same process.
pub const CLIENTS: &str = "clients";

/// Resident memory.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub resident_bytes: u64,
    /// Of these the pages of files: the program itself, which the kernel can drop and read again.
    pub file_bytes: u64,
    pub peak_bytes: u64,
}

/// What a process holds besides memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Handles {
    pub open_files: usize,
    pub threads: usize,
}

impl Handles {
    /// Whether there are no more than those.
    pub fn is_within(self, other: Self) -> bool {
        self.open_files <= other.open_files && self.threads <= other.threads
    }
}

impl Gauge {
    pub fn of(pid: u32) -> Self {
        Self { pid, is_here: false }
    }

    /// Servers in this process, all of them; memory, files and threads are those of clients too.
    pub fn here() -> Self {
        Self { pid: std::process::id(), is_here: true }
    }

    /// User and system time of all its threads, those that have ended included, to the nanosecond.
    pub fn cpu(self) -> Result<Duration> {
        let clock =
            clock_getcpuclockid(Pid::from_raw(self.pid.try_into()?)).context("the process's clock")?;
        if !self.is_here {
            return Ok(clock_gettime(clock)?.into());
        }
        let clients = of_clients()?;
        let rest = Duration::from(clock_gettime(clock)?).saturating_sub(clients);
        let nanos = u64::try_from(rest.as_nanos())?;
        Ok(Duration::from_nanos(SERVERS_NANOS.fetch_max(nanos, Relaxed).max(nanos)))
    }

    /// Open files and threads of this moment.
    pub fn handles(self) -> Result<Handles> {
        let count =
            |what: &str| Ok::<_, std::io::Error>(fs::read_dir(format!("/proc/{}/{what}", self.pid))?.count());
        Ok(Handles { open_files: count("fd")?, threads: count("task")? })
    }

    pub fn memory(self) -> Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let of =
            |name| kilobytes(&status, name).with_context(|| format!("no {name} of process {}", self.pid));
        let (resident_bytes, file_bytes) = (of("VmRSS:")? * 1024, of("RssFile:")? * 1024);
        // The kernel brings the peak up to date less often.
        Ok(Memory { resident_bytes, file_bytes, peak_bytes: resident_bytes.max(of("VmHWM:")? * 1024) })
    }
}

/// User and system time of the threads of clients.
fn of_clients() -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for task in fs::read_dir("/proc/self/task")? {
        let path = task?.path();
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        let id = path.file_name().and_then(|id| id.to_str()?.parse::<clockid_t>().ok());
        if let (CLIENTS, Some(id)) = (name.trim_end(), id) {
            // The clock of a thread, as the kernel numbers them (`CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED`).
            sum +=
                Duration::from(clock_gettime(ClockId::from_raw(!id << 3 | 6)).context("a thread's clock")?);
        }
    }
    Ok(sum)
}

/// User and system time of the calling thread, to the nanosecond.
pub fn own_thread() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).context("the thread's clock")?.into())
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|l| l.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let memory = Gauge::of(std::process::id()).memory().unwrap();
        assert!(
            memory.resident_bytes > memory.file_bytes
                && memory.file_bytes > 1 << 16
                && memory.peak_bytes >= memory.resident_bytes
        );
        let handles = Gauge::of(std::process::id()).handles().unwrap();
        assert!(handles.open_files > 2 && handles.threads > 0);
    }

    #[test]
    fn work_of_clients_is_not_the_servers() {
        let worked = |name: &str| {
            let thread = std::thread::Builder::new().name(name.into()).spawn(|| {
                let (own, clients, all) = (own_thread(), of_clients(), Gauge::here().cpu());
                let sum: u64 = (0..20_000_000).map(std::hint::black_box).sum();
                assert!(sum > 0);
                let since = |before: Result<Duration>, now: Result<Duration>| now.unwrap() - before.unwrap();
                let clients = since(clients, of_clients());
                (since(all, Gauge::here().cpu()), clients, since(own, own_thread()))
            });
            thread.unwrap().join().unwrap()
        };
        let (servers, clients, own) = worked("server");
        assert!(servers >= clients && clients < own, "{servers:?} {clients:?} {own:?}");
        let (_, clients, own) = worked(CLIENTS);
        assert!(clients > own / 2 && clients <= own * 2, "{clients:?} {own:?}");
    }

    #[test]
    fn work_is_seen() {
        let gauge = Gauge::of(std::process::id());
        let before = gauge.cpu().unwrap();
        let sum: u64 = (0..2_000_000).map(std::hint::black_box).sum();
        let worked = gauge.cpu().unwrap();
        assert!(worked > before && sum > 0);
    }
}
