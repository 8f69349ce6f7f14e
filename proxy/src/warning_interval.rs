//! Warnings that would flood the log are given once in an interval.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::lock::lock;

/// Distance between two warnings of the same kind.
const INTERVAL: Duration = Duration::from_secs(1);

/// When a warning of one kind was given last.
#[derive(Debug, Default)]
pub struct WarningInterval(Mutex<Option<Instant>>);

impl WarningInterval {
    /// Whether the warning is to be given now. If so, the interval begins anew.
    pub fn is_due(&self) -> bool {
        let mut last = lock(&self.0);
        let due = last.is_none_or(|last| last.elapsed() >= INTERVAL);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use tokio::time;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_warning_in_an_interval() {
        let warning = WarningInterval::default();
        assert!(warning.is_due());
        time::advance(INTERVAL - Duration::from_millis(1)).await;
        assert!(!warning.is_due());
        time::advance(Duration::from_millis(1)).await;
        assert!(warning.is_due());
        assert!(!warning.is_due());
    }
}
