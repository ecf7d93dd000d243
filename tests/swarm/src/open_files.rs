//! Every client is a connection, and every connection an open file.

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_fit() {
        make_room(2).unwrap();
        let refused = make_room(usize::MAX / 2).unwrap_err().to_string();
        assert!(refused.contains("open files"), "{refused}");
    }
}
