//! Waiting for a pipe's reader.

use std::fs::File;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Waits until a non-blocking file, such as a pipe that was full, takes bytes again, or has lost its reader, for
/// `limit` at the most. Blocks the thread. An error is reported by the next write.
pub fn await_room(file: &File, limit: Duration) {
    let mut files = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    let _ = poll(&mut files, timeout);
}
