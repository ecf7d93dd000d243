//! Echo requests: how long one takes, and without pause, to see what an outage costs.

use std::collections::BTreeMap;
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
        let words = ["ping", "-n", "-D", "-i", &interval, "-W", "2", address];
        Ok(Self { process: host.spawn(&name, &words, &[OF_A_STORY])? })
    }

    /// Ends the stream and sums it up.
    pub fn finish(mut self) -> Result<Sum> {
        self.process.signal(Signal::SIGINT)?;
        self.process.wait(Duration::from_secs(10))?;
        let log = self.process.logged()?;
        sum(&log).with_context(|| format!("ping gave no sum: {log}"))
    }
}

/// What became of a stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Sum {
    /// How many packets were sent.
    pub sent: u32,
    /// The numbers of those that stayed without an answer.
    pub lost: Vec<u32>,
    /// When the packets just before the lost ones were answered, in seconds since 1970.
    pub last_answers: Vec<String>,
}

/// By the closing line `50 packets transmitted, ...`: every packet but the last, which may still be under way when the
/// stream ends, has to have its line with `icmp_seq=N`.
fn sum(log: &str) -> Option<Sum> {
    let sums = log.lines().rev().find(|line| line.contains(" packets transmitted, "))?;
    let sent = sums.split(' ').next()?.parse::<u32>().ok()?;
    let answered: BTreeMap<u32, &str> =
        log.lines().filter_map(|line| Some((sequence(line)?, line.split(' ').next()?))).collect();
    let lost: Vec<u32> = (1..sent).filter(|number| !answered.contains_key(number)).collect();
    let last_answers =
        lost.iter().filter_map(|number| answered.get(&(number - 1))).map(|time| (*time).to_owned());
    Some(Sum { sent, last_answers: last_answers.collect(), lost })
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
        let lines = answered.iter().map(|n| {
            format!("[179000000{n}.25] 64 bytes from 100.64.0.2: icmp_seq={n} ttl=64 time=0.5 ms\n")
        });
        let sum = format!(
            "\n--- 100.64.0.2 ping statistics ---\n{sent} packets transmitted, {} received, x\n",
            answered.len()
        );
        lines.chain([sum]).collect()
    }

    fn lost(log: &str) -> Option<(u32, Vec<u32>)> {
        sum(log).map(|sum| (sum.sent, sum.lost))
    }

    #[test]
    fn counts_what_was_lost() {
        assert_eq!(lost(&log(&[1, 2, 3, 4], 4)), Some((4, vec![])));
        assert_eq!(lost(&log(&[1, 2, 3], 4)), Some((4, vec![])), "the last one is under way");
        assert_eq!(lost(&log(&[1, 3, 4], 4)), Some((4, vec![2])));
        assert_eq!(lost(&log(&[1], 4)), Some((4, vec![2, 3])));
        assert_eq!(lost(&log(&[], 3)), Some((3, vec![1, 2])));
        let unreachable =
            "[1.5] From 100.64.0.1 icmp_seq=1 Destination Host Unreachable\n".to_owned() + &log(&[2], 2);
        assert_eq!(lost(&unreachable), Some((2, vec![1])));
        assert_eq!(lost("ping: unknown host"), None);
    }

    #[test]
    fn says_when_the_last_answer_before_a_loss_came() {
        assert_eq!(sum(&log(&[1, 3, 4], 4)).unwrap().last_answers, ["[1790000001.25]"]);
    }

    #[test]
    fn reads_how_long_an_echo_took() {
        assert_eq!(log(&[1], 1).lines().find_map(time), Some(0.5));
        assert_eq!(time("From 100.64.0.1 icmp_seq=1 Destination Host Unreachable"), None);
    }
}
