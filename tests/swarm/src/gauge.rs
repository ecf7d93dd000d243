//! What a process has used, as the kernel counts it.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// The unit of CPU time in `/proc/PID/stat`, fixed in Linux's interface to programs.
const TICK: Duration = Duration::from_millis(10);

/// A process to watch.
#[derive(Debug, Clone, Copy)]
pub struct Gauge {
    pid: u32,
}

/// Resident memory.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub resident_bytes: u64,
    pub peak_bytes: u64,
}

impl Gauge {
    pub fn of(pid: u32) -> Self {
        Self { pid }
    }

    /// User and system time of all its threads, those that have ended included. Counts in steps of 10 ms.
    pub fn cpu(self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        ticks(&stat).context("a line of process statistics").map(|t| TICK * t)
    }

    pub fn memory(self) -> Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let of =
            |name| kilobytes(&status, name).with_context(|| format!("no {name} of process {}", self.pid));
        let resident_bytes = of("VmRSS:")? * 1024;
        // The kernel brings the peak up to date less often.
        Ok(Memory { resident_bytes, peak_bytes: resident_bytes.max(of("VmHWM:")? * 1024) })
    }
}

/// Fields 14 and 15, counted after the program's name, which may hold anything.
fn ticks(stat: &str) -> Option<u32> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    next()?.checked_add(next()?)
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|l| l.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_confuses_nobody() {
        let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 17 0 0 20 0 1 0";
        assert_eq!(ticks(stat), Some(267));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_uses_something() {
        let memory = Gauge::of(std::process::id()).memory().unwrap();
        assert!(memory.resident_bytes > 1 << 16 && memory.peak_bytes >= memory.resident_bytes);
        Gauge::of(std::process::id()).cpu().unwrap();
    }
}
