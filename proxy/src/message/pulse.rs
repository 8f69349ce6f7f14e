//! Sees whether the other side of an HTTP/2 connection is still there: a PING now and then, and a limit for its answer.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use h2::Ping;
use h2::PingPong;
use tokio::time::Instant;
use tokio::time::Sleep;
use tokio::time::sleep;

/// How long the other side may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The pulse of a connection.
#[derive(Debug)]
pub struct Pulse {
    pings: PingPong,
    timer: Pin<Box<Sleep>>,
    interval: Duration,
    asked: bool,
}

/// What a pulse says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// It is time to [`Pulse::ask`], or to [`Pulse::rest`].
    Due,
    /// Nobody answers.
    Lost,
}

impl Pulse {
    /// Will be due at this interval.
    pub fn new(pings: PingPong, interval: Duration) -> Self {
        Self {
            pings,
            timer: Box::pin(sleep(interval)),
            interval,
            asked: false,
        }
    }

    /// Waits for what it says next.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Beat> {
        if self.asked && self.pings.poll_pong(context).is_ready() {
            self.rest();
        }
        ready!(self.timer.as_mut().poll(context));
        Poll::Ready(if self.asked { Beat::Lost } else { Beat::Due })
    }

    /// Asks the other side. Once it has answered, this is due again after `interval`.
    pub fn ask(&mut self, interval: Duration) {
        self.interval = interval;
        // Fails when the connection does, which says so itself.
        let _ = self.pings.send_ping(Ping::opaque());
        self.asked = true;
        self.timer.as_mut().reset(Instant::now() + PATIENCE);
    }

    /// Is due again after the interval.
    pub fn rest(&mut self) {
        self.asked = false;
        self.timer.as_mut().reset(Instant::now() + self.interval);
    }
}
