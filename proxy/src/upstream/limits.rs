//! Limits of what the calls of a cluster use at a time: connections, waiting requests, requests, retries.
//!
//! The counts are the process's: all workers share them, so `maxConnections: 1` means one connection and not one a
//! worker. The counts survive reloads. The limits are those of the current policy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use egret_config::model::policy::{ConnectionPool, RetryBudget};
use tokio::sync::Notify;

use crate::failure::{Cause, Failure};

/// A resource with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `tcp.maxConnections`.
    Connection,
    /// `http.http1MaxPendingRequests`: requests that wait for a connection.
    Pending,
    /// `http.http2MaxRequests`: requests under way, whatever the protocol.
    Request,
    /// `http.maxRetries`, or the retry budget.
    Retry,
}

/// The current use of one cluster's resources. Shared by all workers.
#[derive(Debug, Default)]
pub struct Usage {
    counts: [AtomicU32; 4],
    /// A connection was closed, or became idle.
    freed: Arc<Notify>,
    /// A request waits for a connection, so workers have to close idle ones.
    connection_needed: Notify,
}

/// One unit of a resource, until this is dropped. Nothing is counted where there is no limit.
#[derive(Debug, Default)]
#[must_use = "the unit is given back when this is dropped"]
pub struct Permit {
    held: Option<(Arc<Usage>, Resource)>,
}

/// What a request is sent on next.
#[derive(Debug)]
pub enum NextConnection<C> {
    /// This idle connection.
    Idle(C),
    /// A new connection, which takes this permit.
    New(Permit),
}

impl Usage {
    /// Takes one of a resource of which there may be `max`; without a limit nothing is counted.
    ///
    /// # Errors
    /// [`Cause::Overflow`].
    pub fn take(self: &Arc<Self>, of: Resource, max: Option<u32>) -> Result<Permit, Failure> {
        let Some(max) = max else {
            return Ok(Permit::default());
        };
        let count = &self.counts[of as usize];
        let claimed = count.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
            (now < max).then_some(now + 1)
        });
        match claimed {
            Ok(_) => Ok(Permit {
                held: Some((Arc::clone(self), of)),
            }),
            Err(_) => {
                let message = format!("all {max} allowed are in use: {}", of.setting());
                Err(Failure::new(Cause::Overflow, message))
            }
        }
    }

    /// Takes a retry of what the policy allows: the budget's share of the requests under way where there is a budget,
    /// else `maxRetries`.
    ///
    /// # Errors
    /// [`Cause::Overflow`].
    pub fn take_retry(
        self: &Arc<Self>,
        pool: &ConnectionPool,
        budget: Option<&RetryBudget>,
    ) -> Result<Permit, Failure> {
        let max = match budget {
            Some(budget) => {
                let active = self.now(Resource::Request) + self.now(Resource::Pending);
                let share = (f64::from(active) * budget.percent / 100.0) as u32;
                Some(share.max(budget.retries_min))
            }
            None => pool.retries_max,
        };
        self.take(Resource::Retry, max)
    }

    /// How much of a resource is in use; 0 where it is not counted.
    pub fn now(&self, of: Resource) -> u32 {
        self.counts[of as usize].load(Ordering::Acquire)
    }

    /// Takes a connection, waiting for one as long as no more than `pending_max` others do. Whenever
    /// a connection was given back, `idle` is called for an idle connection to use instead.
    ///
    /// # Errors
    /// [`Cause::Overflow`] when too many wait.
    pub async fn wait_for_connection<C>(
        self: &Arc<Self>,
        pool: &ConnectionPool,
        mut idle: impl FnMut() -> Option<C>,
    ) -> Result<NextConnection<C>, Failure> {
        let _waiting = self.take(Resource::Pending, pool.pending_max)?;
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // From here on nothing that is given back is missed.
            freed.as_mut().enable();
            if let Some(idle) = idle() {
                return Ok(NextConnection::Idle(idle));
            }
            if let Ok(permit) = self.take(Resource::Connection, pool.connections_max) {
                return Ok(NextConnection::New(permit));
            }
            self.connection_needed.notify_waiters();
            freed.await;
        }
    }

    /// To be notified when a connection becomes idle.
    pub fn freed(&self) -> Arc<Notify> {
        Arc::clone(&self.freed)
    }

    /// Returns when a request waits for a connection, so that idle ones can be closed for it.
    pub async fn connection_needed(&self) {
        self.connection_needed.notified().await;
    }
}

impl Resource {
    fn setting(self) -> &'static str {
        match self {
            Self::Connection => "connectionPool.tcp.maxConnections",
            Self::Pending => "connectionPool.http.http1MaxPendingRequests",
            Self::Request => "connectionPool.http.http2MaxRequests",
            Self::Retry => "connectionPool.http.maxRetries or retryBudget",
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((usage, of)) = self.held.take() {
            usage.counts[of as usize].fetch_sub(1, Ordering::AcqRel);
            if of == Resource::Connection {
                usage.freed.notify_waiters();
            }
        }
    }
}

#[cfg(test)]
mod tests;
