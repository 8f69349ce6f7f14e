//! The signals the process obeys, and those it ignores.

use std::io;

use nix::sys::signal::Signal as Number;
use tokio::signal::unix;
use tokio::signal::unix::SignalKind;

/// Signals without a meaning here whose default action would end the process. Those that report a fault of the program
/// (SIGSEGV, SIGABRT and the like) and those of job control (SIGTSTP, SIGCONT) keep their default action.
const IGNORED: [Number; 9] = [
    Number::SIGUSR2,
    Number::SIGALRM,
    Number::SIGVTALRM,
    Number::SIGPROF,
    Number::SIGSTKFLT,
    Number::SIGIO,
    Number::SIGPWR,
    Number::SIGXCPU,
    Number::SIGXFSZ,
];

/// Real-time signals (signal(7)) that the C libraries leave to programs.
const REAL_TIME: std::ops::RangeInclusive<i32> = 35..=64;

/// What a signal asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Drain and end: SIGTERM, SIGINT or SIGQUIT, as `name` says. A second one ends the process at once.
    End {
        /// The signal's name for the log.
        name: &'static str,
    },
    /// Read the configuration again and reopen the access log: SIGHUP.
    Reload,
    /// Reopen the access log: SIGUSR1, as log rotation sends it.
    ReopenLogs,
}

/// The stream of signals. From its creation on these signals no longer end the process by themselves.
#[derive(Debug)]
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    quit: unix::Signal,
    hangup: unix::Signal,
    user1: unix::Signal,
}

impl Signals {
    /// Takes over the signals that [`Signal`] names and ignores the others that would end the process. Needs a running
    /// tokio runtime.
    ///
    /// # Errors
    /// The kernel's, when a handler cannot be installed.
    pub fn take() -> io::Result<Self> {
        for number in IGNORED
            .map(|number| number as i32)
            .into_iter()
            .chain(REAL_TIME)
        {
            // The handler stays when the stream goes. A number that this kernel lacks cannot arrive either.
            drop(unix::signal(SignalKind::from_raw(number)));
        }
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            quit: unix::signal(SignalKind::quit())?,
            hangup: unix::signal(SignalKind::hangup())?,
            user1: unix::signal(SignalKind::user_defined1())?,
        })
    }

    /// The next signal. Cancel safe.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::End { name: "SIGTERM" },
            _ = self.interrupt.recv() => Signal::End { name: "SIGINT" },
            _ = self.quit.recv() => Signal::End { name: "SIGQUIT" },
            _ = self.hangup.recv() => Signal::Reload,
            _ = self.user1.recv() => Signal::ReopenLogs,
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::raise;

    use super::*;

    #[tokio::test]
    async fn each_signal_has_its_meaning() {
        let mut signals = Signals::take().expect("handlers");
        for ignored in IGNORED {
            raise(ignored).expect("raise");
        }
        for (number, expected) in [
            (Number::SIGHUP, Signal::Reload),
            (Number::SIGUSR1, Signal::ReopenLogs),
            (Number::SIGTERM, Signal::End { name: "SIGTERM" }),
            (Number::SIGINT, Signal::End { name: "SIGINT" }),
            (Number::SIGQUIT, Signal::End { name: "SIGQUIT" }),
        ] {
            raise(number).expect("raise");
            assert_eq!(signals.next().await, expected);
        }
    }
}
