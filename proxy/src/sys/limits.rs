//! The limit of open files, and how much of it is for calls. Each relayed connection needs two descriptors; the usual soft
//! limit of 1,024 is soon reached.
//!
//! The kernel gives a new descriptor the lowest free number (POSIX, 2.6), so a number says how many are open at least.
//! That keeps a reserve without counting: a socket for a call with a number in the reserve is closed.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The bounds of the reserve, which is a quarter of the limit.
const RESERVE: (u64, u64) = (16, 256);

/// The first number of the reserve.
static CALLS_END: AtomicU64 = AtomicU64::new(u64::MAX);

/// How the limit of open files is shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// The limit.
    pub limit: u64,
    /// Descriptors that calls never use: for the pages' clients, logs and configuration.
    pub reserve: u64,
}

impl OpenFiles {
    /// The shares of a limit.
    pub fn of(limit: u64) -> Self {
        let reserve = (limit / 4).clamp(RESERVE.0, RESERVE.1).min(limit);
        Self { limit, reserve }
    }

    /// Descriptors that are not in the reserve.
    pub fn for_calls(self) -> u64 {
        self.limit - self.reserve
    }

    /// Clients that each of the two page servers may have: half of the reserve together.
    pub fn page_clients(self) -> usize {
        usize::try_from(self.reserve / 4).unwrap_or(usize::MAX)
    }

    /// Makes [`is_for_calls`] keep the reserve from now on, in the whole process.
    pub fn keep_reserve(self) {
        CALLS_END.store(self.for_calls(), Ordering::Relaxed);
    }

    /// How many more descriptors may be opened before the reserve begins. Open descriptors with
    /// higher numbers are not counted.
    ///
    /// # Errors
    /// The kernel's, when none is free at all.
    pub fn left_for_calls(self) -> io::Result<u64> {
        let next = io::stderr().as_fd().try_clone_to_owned()?;
        Ok(self.for_calls().saturating_sub(number(&next)))
    }
}

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

/// Whether a descriptor that was just opened is none of the reserve.
pub fn is_for_calls(descriptor: &impl AsFd) -> bool {
    number(descriptor) < CALLS_END.load(Ordering::Relaxed)
}

/// Closes a socket for calls if it is one of the reserve.
///
/// # Errors
/// `EMFILE`, as the kernel gives at the limit itself.
pub fn within_calls<S: AsFd>(socket: S) -> io::Result<S> {
    if is_for_calls(&socket) {
        Ok(socket)
    } else {
        Err(Errno::EMFILE.into())
    }
}

/// Whether an error is a lack of descriptors, of the process or of the machine.
pub fn is_lack_of_files(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE))
}

fn number(descriptor: &impl AsFd) -> u64 {
    u64::try_from(descriptor.as_fd().as_raw_fd()).unwrap_or_default()
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

    #[test]
    fn a_part_of_the_limit_is_kept_back() {
        for (limit, for_calls, page_clients) in [
            (1_048_576, 1_048_320, 64),
            (1_024, 768, 64),
            (256, 192, 16),
            (40, 24, 4),
            (8, 0, 2),
        ] {
            let files = OpenFiles::of(limit);
            let shares = (files.for_calls(), files.page_clients());
            assert_eq!(shares, (for_calls, page_clients), "{limit}");
        }
        let files = OpenFiles::of(1 << 20);
        let left = files.left_for_calls().expect("a descriptor");
        assert!(left > 0 && left < files.for_calls());
    }
}
