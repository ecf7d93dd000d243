//! What is wrong with one input.

use std::{fmt, time::Duration};

/// Why an input is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A law of the target does not hold.
    Law(String),
    /// The code under test panicked.
    Panic(String),
    /// It took this much CPU time, twice.
    Slow(Duration),
    /// The process died: a stack overflow, an abort, or more memory than it may have.
    Died(String),
    /// It did not come to an end.
    Endless(Duration),
}

impl Finding {
    /// One word for the kind; two findings of a kind are taken to be the same while an input is cut down.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Law(_) => "law",
            Self::Panic(_) => "panic",
            Self::Slow(_) => "slow",
            Self::Died(_) => "died",
            Self::Endless(_) => "endless",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Law(text) => write!(f, "a law is broken: {text}"),
            Self::Panic(text) => write!(f, "panicked: {text}"),
            Self::Slow(time) => write!(f, "took {} ms of CPU time", time.as_millis()),
            Self::Died(how) => write!(f, "the process died: {how}"),
            Self::Endless(time) => write!(f, "did not end within {} s of CPU time", time.as_secs()),
        }
    }
}
