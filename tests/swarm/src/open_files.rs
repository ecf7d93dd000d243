//! Every client is a connection, and every connection an open file.

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::gauge::Gauge;

/// What is open besides the clients that stay.
const BESIDE: u64 = 300;

/// Raises the limit as far as it goes; refuses when so many clients do not fit below it.
pub fn make_room(clients: usize) -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).context("the limit of open files")?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("the limit of open files")?;
    let needed = clients as u64 + BESIDE;
    ensure!(needed <= most, "{clients} clients need {needed} open files, and this process may have {most}");
    Ok(())
}

/// How many more may be opened before those that are kept beside clients are touched.
pub fn left() -> Result<usize> {
    let (now, _) = getrlimit(Resource::RLIMIT_NOFILE).context("the limit of open files")?;
    let open = Gauge::of(std::process::id()).handles()?.open_files as u64;
    Ok(usize::try_from(now.saturating_sub(open + BESIDE))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_fit() {
        make_room(2).unwrap();
        assert!(left().unwrap() > 0);
        let refused = make_room(usize::MAX / 2).unwrap_err().to_string();
        assert!(refused.contains("open files"), "{refused}");
    }
}
