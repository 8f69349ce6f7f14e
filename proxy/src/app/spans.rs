//! The exporter of spans: from the start of the process to its very end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::timeout;

use crate::proxy::Shared;
use crate::report::spans::Spans;
use crate::report::spans::record::QueuedSpan;
use crate::trace::collector::Collector;
use crate::trace::exporter::Exporter;

/// How long the last spans may take to be sent.
const LAST_SPANS: Duration = Duration::from_millis(800);

/// Starts to send queued spans in a task of `local`.
pub(super) fn start(
    local: &LocalSet,
    shared: &Shared,
    spans: &Arc<Spans>,
    queued: mpsc::Receiver<QueuedSpan>,
) -> JoinHandle<()> {
    let counters = Arc::clone(&shared.metrics.spans);
    let exporter = Exporter::new(Arc::clone(spans), queued, Collector::new(shared), counters);
    local.spawn_local(exporter.run())
}

/// Waits until the last spans are sent, up to the time limit. Others are lost.
pub(super) async fn finish(exporting: JoinHandle<()>) {
    let _ = timeout(LAST_SPANS, exporting).await;
}
