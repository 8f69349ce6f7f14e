//! The limit of open files. Each relayed connection needs two; the usual soft limit of 1,024 is soon reached.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard limit and gives the limit that now holds.
///
/// # Errors
/// The kernel's, which is not expected: a process may always raise its soft limit that far.
pub fn raise_open_files() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let limit = raise_open_files().expect("limit");
        assert_eq!(
            getrlimit(Resource::RLIMIT_NOFILE).expect("limit"),
            (limit, limit)
        );
    }
}
