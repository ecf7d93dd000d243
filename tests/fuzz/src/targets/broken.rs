//! Targets with a fault each, for the proof that faults are found. They are no part of a run.

use std::{hint::black_box, time::Duration};

use nix::time::{ClockId, clock_gettime};

use super::{Outcome, Target};

#[derive(Clone, Copy)]
enum Fault {
    Law,
    Panic,
    Overflow,
    Memory,
    Slow,
    Endless,
    Hidden,
}

struct Broken(&'static str, Fault);

/// One of each kind.
pub fn broken() -> Vec<Box<dyn Target>> {
    let all = [
        Broken("broken-law", Fault::Law),
        Broken("broken-panic", Fault::Panic),
        Broken("broken-overflow", Fault::Overflow),
        Broken("broken-memory", Fault::Memory),
        Broken("broken-slow", Fault::Slow),
        Broken("broken-endless", Fault::Endless),
        Broken("broken-hidden", Fault::Hidden),
    ];
    all.into_iter().map(|one| Box::new(one) as Box<dyn Target>).collect()
}

const MAGIC: &[u8] = b"mesh";

impl Target for Broken {
    fn name(&self) -> &'static str {
        self.0
    }
    fn about(&self) -> &'static str {
        "has a fault, to prove that faults are found"
    }
    fn seeds(&self) -> Vec<Vec<u8>> {
        vec![b"a harmless input".to_vec()]
    }
    /// Faulty from the first capital letter X on; the hidden fault wants four letters at the beginning.
    fn run(&self, input: &[u8]) -> Result<Outcome, String> {
        let known = input.iter().zip(MAGIC).take_while(|(a, b)| a == b).count();
        if let Fault::Hidden = self.1 {
            let found = known == MAGIC.len();
            return if found { Err("the word was said".to_owned()) } else { Ok(Outcome::of(known)) };
        }
        if !input.contains(&b'X') {
            return Ok(Outcome::of(0));
        }
        let result = match self.1 {
            Fault::Law | Fault::Hidden => return Err("there is an X".to_owned()),
            Fault::Panic => u64::from(black_box(input[input.len() + input.len() / 2])),
            Fault::Overflow => deeper(0),
            Fault::Memory => black_box(vec![1u8; 3 << 30]).len() as u64,
            Fault::Slow => spun(Duration::from_millis(900)),
            Fault::Endless => loop {
                black_box(0);
            },
        };
        Ok(Outcome::of(black_box(result)))
    }
}

/// Uses so much CPU time.
fn spun(time: Duration) -> u64 {
    let now = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default();
    let started = now();
    let mut rounds = 0;
    while now().saturating_sub(started) < time {
        rounds += 1;
    }
    rounds
}

#[expect(unconditional_recursion, reason = "that is its fault")]
fn deeper(level: u64) -> u64 {
    black_box(deeper(black_box(level + 1))) + level
}
