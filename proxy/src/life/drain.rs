//! Draining: stop accepting inbound connections, let work finish, then force.
//!
//! Whoever has work that an end should wait for holds a [`Guard`]: inbound listeners until they stopped accepting,
//! connections until they are done. [`Drain::finish`] waits until no guard is left.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How long forced work gets to write its last lines before [`Drain::finish`] returns.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How far the process is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Work as usual.
    Running,
    /// Take no new inbound connections; all else as usual.
    DrainingInbound,
    /// Take no new inbound connections, finish what is under way, and ask clients to leave with their next answer: one that
    /// sends a request on an idle connection while that is closed would lose it.
    Draining,
    /// Close what is idle.
    Closing,
    /// Stop now.
    Forced,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// All work finished by itself.
    Finished,
    /// Time was up with this many guards still held.
    Forced {
        /// Guards held when time was up.
        left: usize,
    },
}

/// The handle that starts a drain and hands out guards. Clones share one state, on all threads.
#[derive(Clone, Debug)]
pub struct Drain {
    phase: Arc<watch::Sender<Phase>>,
}

impl Drain {
    /// A process at work.
    pub fn new() -> Self {
        Self {
            phase: Arc::new(watch::Sender::new(Phase::Running)),
        }
    }

    /// A guard for one piece of work, which the end waits for.
    pub fn guard(&self) -> Guard {
        Guard {
            phase: self.phase.subscribe(),
        }
    }

    /// How far we are.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// How many guards are held.
    pub fn held(&self) -> usize {
        self.phase.receiver_count()
    }

    /// Begins the drain of inbound connections alone. A second call changes nothing.
    pub fn start_inbound(&self) {
        self.advance(Phase::DrainingInbound);
    }

    /// Begins the drain without waiting for it. A second call changes nothing.
    pub fn start(&self) {
        self.advance(Phase::Draining);
    }

    /// Begins the drain if need be, and has idle connections closed.
    pub fn close_idle(&self) {
        self.advance(Phase::Closing);
    }

    /// Returns once no guard is held.
    pub async fn idle(&self) {
        self.phase.closed().await;
    }

    /// Begins the drain if need be, has idle connections closed, waits up to `patience` for all guards to be dropped, then forces.
    pub async fn finish(&self, patience: Duration) -> Drained {
        self.close_idle();
        if timeout(patience, self.phase.closed()).await.is_ok() {
            return Drained::Finished;
        }
        let left = self.held();
        self.advance(Phase::Forced);
        // Guards dropped or not, we are leaving.
        let _ = timeout(LAST_WORDS, self.phase.closed()).await;
        Drained::Forced { left }
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let forward = *phase < to;
            *phase = to.max(*phase);
            forward
        });
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

/// Work that holds a drain open until it is dropped. A clone holds it open too.
#[derive(Clone, Debug)]
#[must_use = "a dropped guard holds nothing open"]
pub struct Guard {
    phase: watch::Receiver<Phase>,
}

impl Guard {
    /// How far the process is on its way out.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Returns once inbound connections are drained, at least: accept no more of them.
    pub async fn inbound_draining(&mut self) {
        self.reached(Phase::DrainingInbound).await;
    }

    /// Returns once the drain has begun: let keep-alive connections end after their request.
    pub async fn draining(&mut self) {
        self.reached(Phase::Draining).await;
    }

    /// Returns once idle connections are to be closed.
    pub async fn closing(&mut self) {
        self.reached(Phase::Closing).await;
    }

    /// Returns the phase once it is further than `seen`.
    pub async fn beyond(&mut self, seen: Phase) -> Phase {
        match self.phase.wait_for(|phase| *phase > seen).await {
            Ok(phase) => *phase,
            // The handle is gone: the process ends.
            Err(_) => Phase::Forced,
        }
    }

    /// Returns once patience is over: stop now.
    pub async fn forced(&mut self) {
        self.reached(Phase::Forced).await;
    }

    async fn reached(&mut self, goal: Phase) {
        // An error means that the handle is gone, hence that the process is ending: the wait is over as well.
        let _ = self.phase.wait_for(|phase| *phase >= goal).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_the_last_guard() {
        let drain = Drain::new();
        let mut guard = drain.guard();
        let worker = tokio::spawn(async move {
            guard.draining().await;
            assert_eq!(guard.beyond(Phase::Draining).await, Phase::Closing);
        });
        assert_eq!(
            drain.finish(Duration::from_secs(5)).await,
            Drained::Finished
        );
        worker.await.expect("worker");
    }

    #[tokio::test(start_paused = true)]
    async fn forces_when_patience_is_over() {
        let drain = Drain::new();
        let mut guard = drain.guard();
        let worker = tokio::spawn(async move { guard.forced().await });
        assert_eq!(
            drain.finish(Duration::from_secs(5)).await,
            Drained::Forced { left: 1 }
        );
        worker.await.expect("worker");
        assert_eq!(drain.phase(), Phase::Forced);
    }

    #[tokio::test(start_paused = true)]
    async fn ends_though_a_guard_never_yields() {
        let drain = Drain::new();
        let _stuck = drain.guard();
        assert_eq!(
            drain.finish(Duration::from_secs(5)).await,
            Drained::Forced { left: 1 }
        );
    }

    #[tokio::test]
    async fn inbound_connections_may_drain_first() {
        let drain = Drain::new();
        drain.start_inbound();
        let mut guard = drain.guard();
        guard.inbound_draining().await;
        assert_eq!(guard.phase(), Phase::DrainingInbound);
        drain.start();
        drain.start_inbound();
        guard.draining().await;
        assert_eq!(guard.phase(), Phase::Draining);
    }

    #[tokio::test]
    async fn a_late_guard_sees_the_drain_and_start_never_goes_back() {
        let drain = Drain::new();
        drain.start();
        drain.guard().draining().await;
        assert_eq!(drain.finish(Duration::ZERO).await, Drained::Finished);
        drain.advance(Phase::Forced);
        drain.start();
        assert_eq!(drain.phase(), Phase::Forced);
    }
}
