//! Each connection is an open file: as many as the system lets this process have.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What is counted with when the system does not say.
const FEW: usize = 1024;

/// Raises the soft limit to the hard one; the limit in force.
pub fn raise() -> usize {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard
            && let Err(e) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
        {
            tracing::warn!(soft, hard, error = %e, "the limit of open files cannot be raised");
        }
        getrlimit(Resource::RLIMIT_NOFILE)
    });
    let limit = raised.map_or(FEW, |(soft, _)| usize::try_from(soft).unwrap_or(usize::MAX));
    tracing::info!(limit, "open files");
    limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard - 1, hard).unwrap();
        assert_eq!(raise() as u64, hard);
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (hard, hard));
    }
}
