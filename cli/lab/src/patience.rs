//! Waiting for something that takes its time, with an end.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const STEP: Duration = Duration::from_millis(100);

/// Asks `probe` until it gives a value, at most for `limit`. The error names `what` and why the last try failed.
pub fn until<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        let last = probe();
        if let Ok(Some(value)) = last {
            return Ok(value);
        }
        if Instant::now() >= end {
            last.with_context(|| format!("waited {limit:?} for {what}"))?;
            bail!("waited {limit:?} for {what}");
        }
        sleep(STEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_first_value() {
        let mut tries = 0;
        let value = until(Duration::from_secs(5), "three tries", || {
            tries += 1;
            Ok((tries == 3).then_some(tries))
        });
        assert_eq!(value.unwrap(), 3);
    }

    #[test]
    fn says_what_it_waited_for_and_why() {
        let told = until::<()>(Duration::from_millis(1), "the moon", || bail!("clouds")).unwrap_err();
        let told = format!("{told:#}");
        assert!(told.contains("the moon") && told.contains("clouds"), "{told}");
    }
}
