//! Connections that end with a reset.

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::Linger;

/// Lets closing a connection reset it.
pub(crate) fn reset_at_close(stream: &impl AsFd) -> io::Result<()> {
    let linger = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    Ok(setsockopt(stream, Linger, &linger)?)
}
