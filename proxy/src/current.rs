//! The one door to the live snapshot.

use std::sync::Arc;

use arc_swap::ArcSwap;
use egret_config::snapshot::Snapshot;
use tokio::sync::watch;

/// The snapshot in force, and notice of its changes. Shared by all workers; loading takes no lock.
#[derive(Debug)]
pub struct Current {
    snapshot: ArcSwap<Snapshot>,
    version: watch::Sender<u64>,
}

impl Current {
    /// Starts with a snapshot.
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            version: watch::Sender::new(0),
        }
    }

    /// The snapshot in force now. Hold it for one decision and what follows from it, not longer.
    pub fn load(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts another snapshot in force and notifies the waiting tasks.
    pub fn publish(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
        self.version.send_modify(|version| *version += 1);
    }

    /// A receiver that sees each publication; its value counts them.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}
