//! Relays bytes both ways between a client and an upstream until both are done.

mod copy;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use crate::relay::copy::{Copy, Stop};
use crate::report::stream_bytes::StreamBytes;

/// How long a direction may keep a grown buffer without using it.
const BUFFER_IDLE_MAX: Duration = Duration::from_secs(1);

/// One end of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The downstream connection.
    Client,
    /// The upstream connection.
    Upstream,
}

/// How a relay ended.
#[derive(Debug)]
pub enum End {
    /// Both ends closed in order.
    Closed {
        /// The one that closed first.
        first: Side,
    },
    /// One end reset the connection, or it broke. The other end is to be closed.
    Broken {
        /// The end that broke.
        by: Side,
        /// The error.
        error: io::Error,
    },
    /// Neither end sent anything for the idle limit.
    Idle,
}

/// Relays bytes both ways. The end of one direction is passed on (half-close) and the other goes on. `idle_max` limits
/// the time in which nothing moves in either direction; `None` is no limit.
///
/// A buffer of 8 KiB a direction grows up to 256 KiB while reads fill it, and is given back when nothing flows.
pub async fn relay<C, U>(
    client: &mut C,
    upstream: &mut U,
    idle_max: Option<Duration>,
    counts: &StreamBytes,
) -> End
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let mut up = Copy::new();
    let mut down = Copy::new();
    let mut first = None;
    let mut active = Instant::now();
    let mut alarm = pin!(sleep_until(active + BUFFER_IDLE_MAX));
    // The timer is only reset when it fires or when a buffer starts to be held, not for each byte.
    let mut armed = false;
    poll_fn(|cx| {
        let before = (counts.from_client.get(), counts.from_upstream.get(), first);
        let up_done = up.poll(cx, client, upstream, &counts.from_client);
        if let Poll::Ready(Err(stop)) = up_done {
            return Poll::Ready(broken(stop, Side::Client));
        }
        if up_done.is_ready() {
            first.get_or_insert(Side::Client);
        }
        let down_done = down.poll(cx, upstream, client, &counts.from_upstream);
        if let Poll::Ready(Err(stop)) = down_done {
            return Poll::Ready(broken(stop, Side::Upstream));
        }
        if down_done.is_ready() {
            first.get_or_insert(Side::Upstream);
        }
        if let (true, true, Some(first)) = (up_done.is_ready(), down_done.is_ready(), first) {
            return Poll::Ready(End::Closed { first });
        }
        if before != (counts.from_client.get(), counts.from_upstream.get(), first) {
            active = Instant::now();
        }
        loop {
            let holds = up.holds_idle_buffer() || down.holds_idle_buffer();
            if !armed {
                let Some(limit) = [holds.then_some(BUFFER_IDLE_MAX), idle_max]
                    .into_iter()
                    .flatten()
                    .min()
                else {
                    return Poll::Pending;
                };
                alarm.as_mut().reset(active + limit);
                armed = true;
            } else if holds && alarm.deadline() > active + BUFFER_IDLE_MAX {
                alarm.as_mut().reset(active + BUFFER_IDLE_MAX);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            armed = false;
            let idle = active.elapsed();
            if idle_max.is_some_and(|idle_max| idle >= idle_max) {
                return Poll::Ready(End::Idle);
            }
            if idle >= BUFFER_IDLE_MAX {
                up.shrink();
                down.shrink();
            }
        }
    })
    .await
}

/// Reading breaks at the end that is read, writing at the other.
fn broken(stop: Stop, from: Side) -> End {
    match (stop, from) {
        (Stop::Reading(error), by) => End::Broken { by, error },
        (Stop::Writing(error), Side::Client) => End::Broken {
            by: Side::Upstream,
            error,
        },
        (Stop::Writing(error), Side::Upstream) => End::Broken {
            by: Side::Client,
            error,
        },
    }
}

#[cfg(test)]
mod tests;
