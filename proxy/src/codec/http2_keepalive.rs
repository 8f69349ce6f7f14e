//! The keepalive of an HTTP/2 connection: PING frames, and a time limit for their answers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep};

/// The time limit for the answer to a ping.
const PONG_WAIT_MAX: Duration = Duration::from_secs(20);

/// The HTTP/2 keepalive of a connection: pings, and a limit for their answers.
#[derive(Debug)]
pub struct Keepalive {
    pings: PingPong,
    timer: Pin<Box<Sleep>>,
    interval: Duration,
    awaits_pong: bool,
}

/// What a keepalive requires next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// It is time to [`Keepalive::send_ping`], or to [`Keepalive::postpone`].
    Due,
    /// The last ping was not answered in time.
    Lost,
}

impl Keepalive {
    /// A keepalive with its first ping after `interval`.
    pub fn new(pings: PingPong, interval: Duration) -> Self {
        Self {
            pings,
            timer: Box::pin(sleep(interval)),
            interval,
            awaits_pong: false,
        }
    }

    /// Waits until a ping is due or the connection is lost.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Beat> {
        if self.awaits_pong && self.pings.poll_pong(context).is_ready() {
            self.postpone();
        }
        ready!(self.timer.as_mut().poll(context));
        Poll::Ready(if self.awaits_pong {
            Beat::Lost
        } else {
            Beat::Due
        })
    }

    /// Sends a ping. The next one is due `interval` after the answer.
    pub fn send_ping(&mut self, interval: Duration) {
        self.interval = interval;
        // An error here is also reported by the connection itself.
        let _ = self.pings.send_ping(Ping::opaque());
        self.awaits_pong = true;
        self.timer.as_mut().reset(Instant::now() + PONG_WAIT_MAX);
    }

    /// Delays the next ping by the interval.
    pub fn postpone(&mut self) {
        self.awaits_pong = false;
        self.timer.as_mut().reset(Instant::now() + self.interval);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use h2::client::Connection;
    use tokio::io::DuplexStream;
    use tokio::task::{JoinHandle, LocalSet, spawn_local};

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(60);

    /// A connection's keepalive, and its peer, which answers only while it is polled.
    async fn connected() -> (Keepalive, JoinHandle<()>, Connection<DuplexStream>) {
        let (client, server) = tokio::io::duplex(1 << 16);
        let serving = spawn_local(h2::server::handshake(server));
        let (sender, mut client) = h2::client::handshake(client).await.expect("handshake");
        // The server's handshake needs the client's settings.
        let mut serving = {
            let both = async {
                tokio::select! {
                    ended = &mut client => panic!("{ended:?}"),
                    served = serving => served.expect("no panic").expect("handshake"),
                }
            };
            both.await
        };
        let pings = serving.ping_pong().expect("available once");
        let http2_keepalive = Keepalive::new(pings, INTERVAL);
        let running = spawn_local(async move {
            let _: Option<Result<_, _>> = serving.accept().await;
            drop(sender);
        });
        (http2_keepalive, running, client)
    }

    async fn next(http2_keepalive: &mut Keepalive) -> (Beat, Duration) {
        let began = Instant::now();
        let beat = poll_fn(|context| http2_keepalive.poll(context)).await;
        (beat, began.elapsed())
    }

    fn run<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        LocalSet::new().block_on(&runtime, async { test().await });
    }

    #[test]
    fn an_answer_schedules_the_next_ping() {
        run(|| async {
            let (mut http2_keepalive, _running, client) = connected().await;
            spawn_local(client);
            let near = |time: Duration, to: Duration| time.abs_diff(to) < Duration::from_secs(1);
            let (beat, after) = next(&mut http2_keepalive).await;
            assert!(beat == Beat::Due && near(after, INTERVAL), "{after:?}");
            http2_keepalive.postpone();
            let (beat, after) = next(&mut http2_keepalive).await;
            assert!(beat == Beat::Due && near(after, INTERVAL), "{after:?}");
            http2_keepalive.send_ping(2 * INTERVAL);
            let (beat, after) = next(&mut http2_keepalive).await;
            assert!(beat == Beat::Due && near(after, 2 * INTERVAL), "{after:?}");
        });
    }

    #[test]
    fn a_missing_answer_ends_the_connection() {
        run(|| async {
            let (mut http2_keepalive, _running, client) = connected().await;
            next(&mut http2_keepalive).await;
            http2_keepalive.send_ping(INTERVAL);
            let (beat, after) = next(&mut http2_keepalive).await;
            assert_eq!(beat, Beat::Lost);
            assert!(
                after.abs_diff(PONG_WAIT_MAX) < Duration::from_secs(1),
                "{after:?}"
            );
            drop(client);
        });
    }
}
