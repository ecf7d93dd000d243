//! Inside the process of a target: regressions first, then seeds, then one mutation after the other.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};

use crate::{Dice, Finding, Outcome, Target, pool::Pool};

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// When to stop, and what is too much.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// CPU time of the whole campaign.
    pub budget: Duration,
    /// CPU time of one input.
    pub per_input: Duration,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub inputs: u64,
    pub outcomes: usize,
    pub slowest: Duration,
}

/// Runs the target until the budget is spent or something is found. `kept` are inputs of earlier findings; `before` is
/// told every input before it runs.
pub fn campaign(
    target: &dyn Target,
    seed: u64,
    limits: Limits,
    kept: &[Vec<u8>],
    mut before: impl FnMut(&[u8]),
) -> (Tally, Option<Finding>) {
    let mut tally = Tally { inputs: 0, outcomes: 0, slowest: Duration::ZERO };
    let (mut pool, mut dice) = (Pool::default(), Dice::new(seed));
    let mut play = |input: &[u8], pool: &mut Pool| {
        before(input);
        let (result, time) = judge(target, input, limits.per_input);
        tally.inputs += 1;
        tally.slowest = tally.slowest.max(time);
        match result {
            Ok(outcome) => pool.met(input, outcome),
            Err(finding) => return Some(finding),
        }
        tally.outcomes = pool.outcomes();
        None
    };
    let known = kept.iter().cloned().chain(target.seeds());
    let mut found = known.into_iter().find_map(|input| play(&input, &mut pool));
    let started = cpu_time(ClockId::CLOCK_THREAD_CPUTIME_ID);
    while found.is_none()
        && cpu_time(ClockId::CLOCK_THREAD_CPUTIME_ID).saturating_sub(started) < limits.budget
    {
        let mut input = target.next(&pool, &mut dice);
        input.truncate(target.longest());
        found = play(&input, &mut pool);
    }
    (tally, found)
}

/// Runs one input. An input is slow when it is slow twice, so that a busy machine makes no findings.
pub fn judge(target: &dyn Target, input: &[u8], per_input: Duration) -> (Result<Outcome, Finding>, Duration) {
    let (result, mut time) = timed(target, input);
    if result.is_ok() && time > per_input {
        time = time.min(timed(target, input).1);
        if time > per_input {
            return (Err(Finding::Slow(time)), time);
        }
    }
    (result, time)
}

fn timed(target: &dyn Target, input: &[u8]) -> (Result<Outcome, Finding>, Duration) {
    let started = cpu_time(ClockId::CLOCK_THREAD_CPUTIME_ID);
    let result = catch_unwind(AssertUnwindSafe(|| target.run(input)));
    let time = cpu_time(ClockId::CLOCK_THREAD_CPUTIME_ID).saturating_sub(started);
    let result = match result {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(law)) => Err(Finding::Law(law)),
        Err(_) => Err(Finding::Panic(LAST_PANIC.take())),
    };
    (result, time)
}

/// Keeps what a panic says, without printing it.
pub(crate) fn listen_to_panics() {
    std::panic::set_hook(Box::new(|info| LAST_PANIC.set(info.to_string())));
}

fn cpu_time(clock: ClockId) -> Duration {
    clock_gettime(clock).map(Duration::from).unwrap_or_default()
}
