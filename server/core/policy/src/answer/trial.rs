//! The policy's own tests.

mod login;
mod network;

use crate::{PolicyError, answer::Tailnet};

/// Failures, each with the place of its test.
#[derive(Debug, Default)]
pub(crate) struct Failures(pub(crate) Vec<PolicyError>);

impl Failures {
    fn add(&mut self, (line, column): (u32, u32), message: String) {
        self.0.push(PolicyError { line, column, message, hint: None });
    }

    /// One of a statement that turned out otherwise.
    fn unlike(&mut self, place: (u32, u32), what: &str, expected: &str, got: &str) {
        self.add(place, format!("{what}: expected {expected}, got {got}"));
    }
}

impl Tailnet<'_> {
    /// The failures of `tests` and `sshTests`.
    pub(crate) fn failures(&self) -> Vec<PolicyError> {
        let mut failures = Failures::default();
        self.try_networks(&mut failures);
        self.try_logins(&mut failures);
        failures.0
    }

    /// The same behind the words of the reference.
    pub(crate) fn passes(&self) -> Result<(), String> {
        let failures: Vec<_> = self.failures().into_iter().map(|failure| failure.message).collect();
        if failures.is_empty() { Ok(()) } else { Err(format!("test(s) failed\n{}", failures.join("\n"))) }
    }
}
