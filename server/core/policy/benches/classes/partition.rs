//! What a policy costs over a fleet: signatures, classes, and which class sees which.

use std::{collections::BTreeMap, hint::black_box, time::Duration};

use nix::time::{ClockId, clock_gettime};
use policy::{Compiled, Signature};

use crate::fleet::Member;

/// CPU time of this thread that the work takes, and what it gives.
pub fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let now = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default();
    let started = now();
    let made = black_box(work());
    (now().saturating_sub(started), made)
}

/// The middle one of several runs.
pub fn median<T>(runs: usize, mut work: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..runs).map(|_| timed(&mut work).0).collect();
    times.sort();
    times[times.len() / 2]
}

/// Nodes by class. The number of a class is its place in the order of first sight.
pub struct Partition {
    pub ids: BTreeMap<Signature, u32>,
    pub class_of: Vec<u32>,
}

pub fn partition(compiled: &Compiled, fleet: &[Member]) -> Partition {
    let mut ids = BTreeMap::new();
    let class_of = fleet.iter().map(|member| {
        let next = ids.len() as u32;
        *ids.entry(compiled.signature(&member.subject())).or_insert(next)
    });
    let class_of = class_of.collect();
    Partition { ids, class_of }
}

/// A bit for each pair of classes that see each other, a row per class. A pair is asked for once.
pub fn visibility(compiled: &Compiled, classes: &[&Signature]) -> Vec<Vec<u64>> {
    let mut rows = vec![vec![0u64; classes.len().div_ceil(64)]; classes.len()];
    for (at, class) in classes.iter().enumerate() {
        for (before, other) in classes[..=at].iter().enumerate() {
            let sees = u64::from(compiled.sees(class, other));
            rows[at][before / 64] |= sees << (before % 64);
            rows[before][at / 64] |= sees << (at % 64);
        }
    }
    rows
}

/// What one class sees.
pub fn row(compiled: &Compiled, class: &Signature, classes: &[&Signature]) -> Vec<u64> {
    let mut bits = vec![0u64; classes.len().div_ceil(64)];
    for (at, other) in classes.iter().enumerate() {
        bits[at / 64] |= u64::from(compiled.sees(class, other)) << (at % 64);
    }
    bits
}
