//! Echo requests: how long one takes, and without pause, to see what an outage costs.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::{Bench, OF_A_STORY};
use crate::host::Host;
use crate::process::Process;

/// Echo requests to one address, until asked for the sum.
pub struct PingStream {
    process: Process,
}

impl Bench<'_> {
    /// How long each of `count` echoes took, in milliseconds, ten requests a second. An error unless all come back.
    pub(crate) fn round_trips(&self, from: &str, to: Ipv4Addr, count: u32) -> Result<Vec<f64>> {
        let (many, to) = (count.to_string(), to.to_string());
        let words = ["ping", "-n", "-c", &many, "-i", "0.1", "-W", "2", &to];
        let output = self.host(from)?.exec(&words)?;
        let times: Vec<f64> = output.stdout.lines().filter_map(time).collect();
        ensure!(times.len() == count as usize, "{from} got {} of {count} echoes of {to}", times.len());
        Ok(times)
    }
}

impl PingStream {
    /// Five requests a second.
    pub fn start(host: &Host, address: &str) -> Result<Self> {
        Self::every(Duration::from_millis(200), host, address)
    }

    /// A request in each such interval.
    pub fn every(interval: Duration, host: &Host, address: &str) -> Result<Self> {
        let (name, interval) = (format!("ping-{address}"), interval.as_secs_f64().to_string());
        // of an earlier stream to the same address
        let _ = fs::remove_file(host.dir().join(&name).with_extension("log"));
        let words = ["ping", "-n", "-i", &interval, "-W", "2", address];
        Ok(Self { process: host.spawn(&name, &words, &[OF_A_STORY])? })
    }

    /// Ends the stream; gives packets sent and packets lost.
    pub fn finish(self) -> Result<(u32, u32)> {
        let (sent, lost) = self.numbers()?;
        Ok((sent, u32::try_from(lost.len())?))
    }

    /// Ends the stream; gives packets sent, and the numbers of those lost, from 1.
    pub fn numbers(mut self) -> Result<(u32, BTreeSet<u32>)> {
        self.process.signal(Signal::SIGINT)?;
        self.process.wait(Duration::from_secs(10))?;
        let log = self.process.logged()?;
        sum(&log).with_context(|| format!("ping gave no sum: {log}"))
    }
}

/// Packets sent, by the sum `50 packets transmitted, ...`, and lost: every one but the last, which may still be under
/// way when the stream ends, has to have its line with `icmp_seq=N`.
fn sum(log: &str) -> Option<(u32, BTreeSet<u32>)> {
    let sums = log.lines().rev().find(|line| line.contains(" packets transmitted, "))?;
    let sent = sums.split(' ').next()?.parse::<u32>().ok()?;
    let answered: BTreeSet<u32> = log.lines().filter_map(sequence).collect();
    Some((sent, (1..sent).filter(|number| !answered.contains(number)).collect()))
}

/// The milliseconds in `64 bytes from 100.64.0.2: icmp_seq=1 ttl=64 time=0.53 ms`.
fn time(line: &str) -> Option<f64> {
    line.split(" time=").nth(1)?.split(' ').next()?.parse().ok()
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

    fn sent_and_lost(log: &str) -> Option<(u32, usize)> {
        sum(log).map(|(sent, lost)| (sent, lost.len()))
    }

    #[test]
    fn counts_what_was_lost() {
        assert_eq!(sent_and_lost(&log(&[1, 2, 3, 4], 4)), Some((4, 0)));
        assert_eq!(sent_and_lost(&log(&[1, 2, 3], 4)), Some((4, 0)), "the last one is under way");
        assert_eq!(sum(&log(&[1, 3, 4], 4)), Some((4, BTreeSet::from([2]))));
        assert_eq!(sent_and_lost(&log(&[1], 10)), Some((10, 8)));
        assert_eq!(sent_and_lost(&log(&[], 3)), Some((3, 2)));
        let unreachable =
            "From 100.64.0.1 icmp_seq=1 Destination Host Unreachable\n".to_owned() + &log(&[2], 2);
        assert_eq!(sent_and_lost(&unreachable), Some((2, 1)));
        assert_eq!(sum("ping: unknown host"), None);
    }

    #[test]
    fn reads_how_long_an_echo_took() {
        assert_eq!(log(&[1], 1).lines().find_map(time), Some(0.5));
        assert_eq!(time("From 100.64.0.1 icmp_seq=1 Destination Host Unreachable"), None);
    }
}
