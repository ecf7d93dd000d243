//! Uptime over a long time, beside whatever does not disturb the members.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::sabotage::Sabotage;
use super::{Stage, Story, Verdict};
use crate::bench::{Bench, PingStream, pairs};

pub(super) const ID: &str = "soak.uptime";
/// As long as the specification asks for.
const WHOLE: Duration = Duration::from_secs(3600);
const TICK: Duration = Duration::from_secs(1);
const UPTIME: f64 = 0.99;
/// Lost seconds that prove nothing in however short a time.
const FEW: f64 = 2.0;
/// Echoes that have to be sent, of one a second.
const WATCHED: f64 = 0.9;

/// An echo a second between all pairs of members.
pub(super) struct Soak {
    begun: Instant,
    streams: Vec<PingStream>,
}

pub(super) fn stories() -> Vec<Story> {
    vec![Story {
        id: ID,
        title: "every host reaches every other in each second of a long time",
        proves: &["SC-003"],
        calm: true,
        sabotage: Sabotage::PolicyDeniesAll,
        symptom: "SC-003 is missed",
        tell: uptime,
    }]
}

impl Soak {
    pub(super) fn start(bench: &Bench<'_>) -> Result<Self> {
        let start = |(from, to)| PingStream::every(TICK, bench.host(from)?, &bench.ipv4(to)?.to_string());
        Ok(Self { begun: Instant::now(), streams: pairs().map(start).collect::<Result<_>>()? })
    }

    /// Waits until it has lasted that long; seconds in all, and seconds in which any pair got no answer.
    fn finish(self, length: Duration) -> Result<(u32, usize)> {
        sleep(length.saturating_sub(self.begun.elapsed()));
        let (mut seconds, mut down) = (u32::MAX, BTreeSet::new());
        for stream in self.streams {
            let sum = stream.finish()?;
            seconds = seconds.min(sum.sent);
            down.extend(sum.lost);
        }
        Ok((seconds, down.len()))
    }
}

fn uptime(stage: &mut Stage<'_>) -> Result<()> {
    let length = stage.wish.soak;
    let soak = match stage.soak.take() {
        Some(soak) => soak,
        None => Soak::start(&stage.bench)?,
    };
    let (seconds, down) = soak.finish(length)?;
    let watched = f64::from(seconds) >= WATCHED * length.as_secs_f64();
    ensure!(watched, "only {seconds} of {} s were watched", length.as_secs());
    let up = 1.0 - down as f64 / f64::from(seconds.max(1));
    let found = format!("{:.2} % of {seconds} s, {down} s with a lost echo", up * 100.0);
    match judge(up, length) {
        Verdict::NotMeasured => stage.note(
            "SC-003",
            Verdict::NotMeasured,
            format!("not measured ({} s): {found}", length.as_secs()),
        ),
        verdict => stage.note("SC-003", verdict, found),
    }
    Ok(())
}

/// A short time can show that the criterion is missed, and never that it is met. One lost echo is more than a hundredth of a
/// minute and shows neither.
fn judge(up: f64, length: Duration) -> Verdict {
    let most = (1.0 - UPTIME).max(FEW / length.as_secs_f64());
    match 1.0 - up <= most + 1e-9 {
        false => Verdict::Missed,
        true if length < WHOLE => Verdict::NotMeasured,
        true => Verdict::Met,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_soak_is_never_a_pass() {
        assert_eq!(judge(1.0, Duration::from_secs(60)), Verdict::NotMeasured);
        assert_eq!(judge(1.0, Duration::from_secs(3599)), Verdict::NotMeasured);
        assert_eq!(judge(0.991, WHOLE), Verdict::Met);
        assert_eq!(judge(0.98, WHOLE), Verdict::Missed);
        assert_eq!(judge(0.95, Duration::from_secs(60)), Verdict::Missed);
        assert_eq!(judge(1.0 - 2.0 / 60.0, Duration::from_secs(60)), Verdict::NotMeasured, "two echoes");
    }
}
