//! Spans: one for each sampled request, and on gateways one more for each try. They are made of the facts of a call at its
//! end and queued; an exporter takes them from the queue. When the queue is full they are dropped and counted; calls never
//! wait.

mod build;
pub mod grpc;
pub mod plan;
pub mod record;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwapOption;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::report::facts::Facts;
use crate::report::metrics::spans::SpanCounters;
use crate::report::now::Now;
use crate::report::reporter::Sink;
use crate::report::spans::plan::SpanPlan;
use crate::report::spans::record::{QueuedSpan, Span};

/// Spans that wait to be exported, at most.
pub const QUEUE_MAX: usize = 2048;

/// Makes spans and queues them. Shared by all workers.
#[derive(Debug)]
pub struct Spans {
    plan: ArcSwapOption<SpanPlan>,
    queue: mpsc::Sender<QueuedSpan>,
    counters: Arc<SpanCounters>,
}

impl Spans {
    /// Nothing is made of calls until there is a plan. The other end of the queue comes along.
    pub fn new(counters: Arc<SpanCounters>) -> (Self, mpsc::Receiver<QueuedSpan>) {
        let (queue, queued) = mpsc::channel(QUEUE_MAX);
        let spans = Self {
            plan: ArcSwapOption::empty(),
            queue,
            counters,
        };
        (spans, queued)
    }

    /// Makes spans by this plan from now on; without one none are made.
    pub fn set_plan(&self, plan: Option<Arc<SpanPlan>>) {
        self.plan.store(plan);
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
        let now = Now::read();
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
