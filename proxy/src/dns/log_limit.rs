//! A limit for log lines that strangers can cause.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::lock::lock;

/// Limits the log lines in a period, and counts the suppressed ones.
#[derive(Debug)]
pub(super) struct LogLimit {
    lines_max: u32,
    period: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the period began.
    since: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl LogLimit {
    /// A limit of `lines_max` lines in a `period`.
    pub(super) fn new(lines_max: u32, period: Duration) -> Self {
        Self {
            lines_max,
            period,
            state: Mutex::default(),
        }
    }

    /// The number of lines suppressed since the last one, if a line may be written now.
    pub(super) fn pass(&self, now: Instant) -> Option<u64> {
        let mut state = lock(&self.state);
        if state.since.is_none_or(|since| now >= since + self.period) {
            state.since = Some(now);
            state.lines = 0;
        }
        if state.lines >= self.lines_max {
            state.suppressed += 1;
            return None;
        }
        state.lines += 1;
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_lines_pass_in_a_period_and_the_rest_is_counted() {
        let limit = LogLimit::new(2, Duration::from_secs(60));
        let pass = || limit.pass(Instant::now());
        assert_eq!(
            [pass(), pass(), pass(), pass()],
            [Some(0), Some(0), None, None]
        );
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!([pass(), pass(), pass()], [Some(2), Some(0), None]);
    }
}
