//! Why a connection did not pass.

use std::io;
use std::time::{Duration, Instant};

/// Why a connection did not pass.
#[derive(Debug)]
pub(in crate::probe) enum Trouble {
    Skipped(String),
    Failed(String),
}

/// A host without a route to the destination of a probe cannot make it.
impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                Self::Skipped("there is no route".to_owned())
            }
            io::ErrorKind::AddrNotAvailable => {
                Self::Skipped("the address to come from is not there".to_owned())
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// What is left until an end, never less than a moment.
pub(in crate::probe) fn remaining(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
        .max(Duration::from_millis(1))
}
