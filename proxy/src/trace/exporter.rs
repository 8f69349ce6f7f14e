//! Batches: when they leave, what becomes of them when the collector does not take them.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::dice;
use crate::report::metrics::spans::SpanCounters;
use crate::report::spans::Spans;
use crate::report::spans::pace::Pace;
use crate::report::spans::record::QueuedSpan;
use crate::trace::collector::{Collector, Refused};
use crate::trace::encode::Batch;
use crate::warning_interval::WarningInterval;

/// Spans of a batch, at most.
pub const BATCH_MAX: usize = 512;

/// How long a span waits for others.
const INTERVAL: Duration = Duration::from_secs(5);

/// The same once the process is on its way out.
const INTERVAL_LEAVING: Duration = Duration::from_millis(250);

/// How long the second try of a batch waits, on average.
const BACKOFF: Duration = Duration::from_secs(1);

/// Takes spans from their queue and sends them.
#[derive(Debug)]
pub struct Exporter {
    queued: mpsc::Receiver<QueuedSpan>,
    spans: Arc<Spans>,
    pace: watch::Receiver<Pace>,
    collector: Collector,
    counters: Arc<SpanCounters>,
    warning: WarningInterval,
}

impl Exporter {
    /// Sends what comes out of the queue of `spans`.
    pub fn new(
        spans: Arc<Spans>,
        queued: mpsc::Receiver<QueuedSpan>,
        collector: Collector,
        counters: Arc<SpanCounters>,
    ) -> Self {
        Self {
            queued,
            pace: spans.pace(),
            spans,
            collector,
            counters,
            warning: WarningInterval::default(),
        }
    }

    /// Sends batches until [`Pace::Last`] is set and the queue is empty.
    pub async fn run(mut self) {
        while let ControlFlow::Continue(batch) = self.batch().await {
            // What was made by different configurations goes to different places.
            for spans in batch.chunk_by(|one, next| Arc::ptr_eq(&one.plan, &next.plan)) {
                self.export(spans).await;
            }
        }
    }

    /// The next batch.
    async fn batch(&mut self) -> ControlFlow<(), Vec<QueuedSpan>> {
        let Some(first) = self.first().await else {
            return ControlFlow::Break(());
        };
        let began = Instant::now();
        while self.queued.len() + 1 < BATCH_MAX {
            let interval = match *self.pace.borrow_and_update() {
                Pace::Usual => INTERVAL,
                Pace::Leaving => INTERVAL_LEAVING,
                Pace::Last => break,
            };
            tokio::select! {
                () = sleep_until(began + interval) => break,
                () = self.spans.many() => {}
                changed = self.pace.changed() => {
                    if changed.is_err() {
                        break;
                    }
                }
            }
        }
        let mut batch = Vec::with_capacity((self.queued.len() + 1).min(BATCH_MAX));
        batch.push(first);
        while batch.len() < BATCH_MAX
            && let Ok(span) = self.queued.try_recv()
        {
            batch.push(span);
        }
        ControlFlow::Continue(batch)
    }

    /// The next span; `None` where none is waited for any more.
    async fn first(&mut self) -> Option<QueuedSpan> {
        loop {
            if *self.pace.borrow_and_update() == Pace::Last {
                return self.queued.try_recv().ok();
            }
            tokio::select! {
                span = self.queued.recv() => return span,
                changed = self.pace.changed() => changed.ok()?,
            }
        }
    }

    /// Sends a batch, once more if it was not taken.
    async fn export(&mut self, spans: &[QueuedSpan]) {
        let Some(QueuedSpan { plan, .. }) = spans.first() else {
            return;
        };
        let batch = Batch::of(plan, spans);
        let mut outcome = self.collector.send(&batch, &plan.cluster).await;
        if let Err(Refused { again: true, .. }) = outcome
            && self.back_off().await
        {
            outcome = self.collector.send(&batch, &plan.cluster).await;
        }
        let all = spans.len() as u64;
        let rejected = match outcome {
            Ok(rejected) => rejected.min(all),
            Err(Refused { why, .. }) => {
                if self.warning.is_due() {
                    let (provider, collector) = (&plan.tracing.provider, &plan.tracing.authority);
                    warn!(%provider, %collector, spans = all, "spans are dropped: {why}");
                }
                all
            }
        };
        add(&self.counters.exported, all - rejected);
        add(&self.counters.export_failed, rejected);
    }

    /// Waits before a second try. Says whether there is one: not where the process is at its end.
    async fn back_off(&mut self) -> bool {
        let until = Instant::now() + BACKOFF.mul_f64(0.5 + dice::fraction());
        loop {
            if *self.pace.borrow_and_update() == Pace::Last {
                return false;
            }
            tokio::select! {
                () = sleep_until(until) => return true,
                changed = self.pace.changed() => {
                    if changed.is_err() {
                        return false;
                    }
                }
            }
        }
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}
