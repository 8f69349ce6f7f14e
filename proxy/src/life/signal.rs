//! The signals the process obeys.

use std::io;

use tokio::signal::unix::{self, SignalKind};

/// What a signal asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Drain and end: SIGTERM or SIGINT, as `name` says.
    End {
        /// The signal's name for the log.
        name: &'static str,
    },
    /// Read the configuration again and reopen the access log: SIGHUP.
    Reload,
}

/// The stream of signals. From its creation on these signals no longer end the process by themselves.
#[derive(Debug)]
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    /// Takes over SIGTERM, SIGINT and SIGHUP. Needs a running tokio runtime.
    ///
    /// # Errors
    /// The kernel's, when a handler cannot be installed.
    pub fn take() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            hangup: unix::signal(SignalKind::hangup())?,
        })
    }

    /// The next signal. Cancel safe.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::End { name: "SIGTERM" },
            _ = self.interrupt.recv() => Signal::End { name: "SIGINT" },
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{Signal as Number, raise};

    use super::*;

    #[tokio::test]
    async fn each_signal_has_its_meaning() {
        let mut signals = Signals::take().expect("handlers");
        for (number, expected) in [
            (Number::SIGHUP, Signal::Reload),
            (Number::SIGTERM, Signal::End { name: "SIGTERM" }),
            (Number::SIGINT, Signal::End { name: "SIGINT" }),
        ] {
            raise(number).expect("raise");
            assert_eq!(signals.next().await, expected);
        }
    }
}
