//! Echo requests without pause, to see what an outage costs.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Host, Process};
use nix::sys::signal::Signal;

/// Five echo requests a second to one address, until asked for the sum.
pub struct PingStream {
    process: Process,
}

impl PingStream {
    pub fn start(host: &Host, address: &str) -> Result<Self> {
        let words = ["ping", "-n", "-i", "0.2", "-W", "2", address];
        Ok(Self { process: host.spawn(&format!("ping-{address}"), &words, &[])? })
    }

    /// Ends the stream; gives packets sent and packets lost.
    pub fn finish(mut self) -> Result<(u32, u32)> {
        self.process.signal(Signal::SIGINT)?;
        self.process.wait(Duration::from_secs(10))?;
        let log = self.process.logged()?;
        sum(&log).with_context(|| format!("ping gave no sum: {log}"))
    }
}

/// Packets sent, by the sum `50 packets transmitted, ...`, and lost: every one but the last, which may still be under
/// way when the stream ends, has to have its line with `icmp_seq=N`.
fn sum(log: &str) -> Option<(u32, u32)> {
    let sums = log.lines().rev().find(|line| line.contains(" packets transmitted, "))?;
    let sent = sums.split(' ').next()?.parse::<u32>().ok()?;
    let answered: BTreeSet<u32> = log.lines().filter_map(sequence).collect();
    Some((sent, (1..sent).filter(|number| !answered.contains(number)).count().try_into().ok()?))
}

fn sequence(line: &str) -> Option<u32> {
    let answer = line.contains(" bytes from ").then_some(line)?;
    answer.split("icmp_seq=").nth(1)?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(answered: &[u32], sent: u32) -> String {
        let lines =
            answered.iter().map(|n| format!("64 bytes from 100.64.0.2: icmp_seq={n} ttl=64 time=0.5 ms\n"));
        let sum = format!(
            "\n--- 100.64.0.2 ping statistics ---\n{sent} packets transmitted, {} received, x\n",
            answered.len()
        );
        lines.chain([sum]).collect()
    }

    #[test]
    fn counts_what_was_lost() {
        assert_eq!(sum(&log(&[1, 2, 3, 4], 4)), Some((4, 0)));
        assert_eq!(sum(&log(&[1, 2, 3], 4)), Some((4, 0)), "the last one is under way");
        assert_eq!(sum(&log(&[1, 3, 4], 4)), Some((4, 1)));
        assert_eq!(sum(&log(&[1], 10)), Some((10, 8)));
        assert_eq!(sum(&log(&[], 3)), Some((3, 2)));
        let unreachable =
            "From 100.64.0.1 icmp_seq=1 Destination Host Unreachable\n".to_owned() + &log(&[2], 2);
        assert_eq!(sum(&unreachable), Some((2, 1)));
        assert_eq!(sum("ping: unknown host"), None);
    }
}
