//! Spans: one for each sampled request, and on gateways one more for each try. They are made of the facts of a call at its
//! end and queued; an exporter takes them from the queue. When the queue is full they are dropped and counted; calls never
//! wait.

mod build;
pub mod grpc;
pub mod pace;
pub mod plan;
pub mod record;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwapOption;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, watch};

use crate::report::facts::Facts;
use crate::report::metrics::spans::SpanCounters;
use crate::report::now::Now;
use crate::report::reporter::Sink;
use crate::report::spans::pace::Pace;
use crate::report::spans::plan::SpanPlan;
use crate::report::spans::record::{QueuedSpan, Span};

/// Spans that wait to be exported, at most.
pub const QUEUE_MAX: usize = 2048;

/// With so many spans waiting the exporter is woken.
const MANY: usize = 500;

/// Makes spans and queues them. Shared by all workers.
#[derive(Debug)]
pub struct Spans {
    plan: ArcSwapOption<SpanPlan>,
    queue: mpsc::Sender<QueuedSpan>,
    counters: Arc<SpanCounters>,
    many: Notify,
    pace: watch::Sender<Pace>,
}

impl Spans {
    /// Nothing is made of calls until there is a plan. The other end of the queue comes along.
    pub fn new(counters: Arc<SpanCounters>) -> (Self, mpsc::Receiver<QueuedSpan>) {
        let (queue, queued) = mpsc::channel(QUEUE_MAX);
        let spans = Self {
            plan: ArcSwapOption::empty(),
            queue,
            counters,
            many: Notify::new(),
            pace: watch::Sender::default(),
        };
        (spans, queued)
    }

    /// Makes spans by this plan from now on; without one none are made.
    pub fn set_plan(&self, plan: Option<Arc<SpanPlan>>) {
        self.plan.store(plan);
    }

    /// Exports sooner from now on; never later than before.
    pub fn set_pace(&self, pace: Pace) {
        self.pace.send_if_modified(|known| {
            let changes = *known < pace;
            *known = pace.max(*known);
            changes
        });
    }

    /// How soon spans are to be exported.
    pub fn pace(&self) -> watch::Receiver<Pace> {
        self.pace.subscribe()
    }

    /// Returns when many spans wait, as far as that was not said before.
    pub async fn many(&self) {
        self.many.notified().await;
    }

    fn queue(&self, span: Span, plan: &Arc<SpanPlan>) {
        let queued = QueuedSpan {
            span,
            plan: Arc::clone(plan),
        };
        // A queue that nobody reads any more belongs to a process that ends.
        if let Err(TrySendError::Full(_)) = self.queue.try_send(queued) {
            self.counters.queue_full.fetch_add(1, Ordering::Relaxed);
        }
        if self.queue.capacity() <= QUEUE_MAX - MANY {
            self.many.notify_one();
        }
    }
}

impl Sink for Spans {
    /// Queues the spans of a call that is sampled.
    fn report(&self, facts: &Facts) {
        let (Some(trace), Some(ids)) = (&facts.trace, facts.span) else {
            return;
        };
        let plan = self.plan.load();
        let Some(plan) = &*plan else { return };
        let now = Now::at(facts.end_time());
        let call = build::TracedCall {
            facts,
            trace,
            ids,
            plan,
            now,
        };
        for child in call.children() {
            self.queue(child, plan);
        }
        self.queue(call.span(), plan);
    }
}

#[cfg(test)]
mod tests;
