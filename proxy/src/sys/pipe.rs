//! Waiting for a pipe's reader.

use std::fs::File;
use std::os::fd::AsFd;

use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::poll::poll;

/// Waits until a non-blocking file, such as a pipe that was full, takes bytes again, or has lost its reader. Blocks the
/// thread. What the kernel refuses shows at the next write.
pub fn await_room(file: &File) {
    let mut files = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    let _ = poll(&mut files, PollTimeout::NONE);
}
