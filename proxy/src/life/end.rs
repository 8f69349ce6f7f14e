//! What the process may be asked to do about its end, and how long it goes on until then.

use std::time::Duration;

use tokio::sync::mpsc;

/// How long Istio's agent lets a proxy drain where nobody says it.
const DRAIN_DEFAULT: Duration = Duration::from_secs(5);

/// An order to the control thread, from an admin page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// End now: `/quitquitquit`.
    Quit,
    /// Drain inbound connections and serve outbound ones until a signal ends the process: the agent's `/drain`.
    Drain,
    /// Stop accepting: Envoy's `/drain_listeners`.
    DrainListeners {
        /// Clients are asked to leave first, and have the drain time to do it.
        graceful: bool,
        /// Outbound listeners go on.
        inbound_only: bool,
    },
    /// Reopen the files of the access log.
    ReopenLogs,
}

/// Where orders go.
pub type Commands = mpsc::UnboundedSender<Command>;

/// What was said at the start about the time that the process goes on for when it is told to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainTime {
    /// `--drain-time`, or `terminationDrainDuration` of the pod's own ProxyConfig.
    pub own: Option<Duration>,
    /// `TERMINATION_DRAIN_DURATION_SECONDS`: where MeshConfig does not say it either.
    pub fallback: Option<Duration>,
    /// `EXIT_ON_ZERO_ACTIVE_CONNECTIONS`, with `MINIMUM_DRAIN_DURATION`.
    pub until_idle: Option<Duration>,
}

/// How long the process goes on when it is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainLimit {
    /// So long.
    Time(Duration),
    /// So long at least, and then until no connection is left.
    Idle {
        /// The time before connections are counted.
        at_least: Duration,
    },
}

impl DrainTime {
    /// The limit, where MeshConfig's `terminationDrainDuration` is `mesh`.
    pub fn limit(&self, mesh: Option<Duration>) -> DrainLimit {
        match self.until_idle {
            Some(at_least) => DrainLimit::Idle { at_least },
            None => DrainLimit::Time(self.own.or(mesh).or(self.fallback).unwrap_or(DRAIN_DEFAULT)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_counts() {
        let seconds = |number| Some(Duration::from_secs(number));
        let time = |number| DrainLimit::Time(Duration::from_secs(number));
        for (own, mesh, fallback, expected) in [
            (None, None, None, time(5)),
            (None, None, seconds(7), time(7)),
            (None, seconds(8), seconds(7), time(8)),
            (seconds(0), seconds(8), seconds(7), time(0)),
        ] {
            let drain = DrainTime {
                own,
                fallback,
                until_idle: None,
            };
            assert_eq!(drain.limit(mesh), expected);
        }
        let until_idle = DrainTime {
            until_idle: seconds(3),
            own: seconds(1),
            fallback: None,
        };
        let at_least = Duration::from_secs(3);
        assert_eq!(until_idle.limit(None), DrainLimit::Idle { at_least });
    }
}
