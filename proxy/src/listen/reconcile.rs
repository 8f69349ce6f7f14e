//! Opens and closes ports: those of the process once, those of the configuration as the snapshot asks for them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use egret_config::snapshot::BoundPort;
use tokio::sync::watch;
use tokio::time;
use tracing::{error, info};

use crate::connection::ListenerKind;
use crate::current::Current;
use crate::listen::bind::{BindError, Purpose};
use crate::listen::binder::{Binder, Handed};
use crate::listen::worker::{Order, WorkerHandle};
use crate::lock::lock;

/// Interval after which opening a port is tried again: its owner may end.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The listening sockets of the process. Dropped, it ends the workers with whatever they are still serving.
#[derive(Debug)]
pub struct Ports {
    workers: Vec<WorkerHandle>,
    binder: Binder,
    configured: BTreeMap<BoundPort, Result<Open, String>>,
    /// Ports that stay open until the process drains.
    fixed: Vec<Open>,
    /// All were closed: none is opened any more.
    closed: bool,
    listener_status: ListenerStatus,
}

#[derive(Debug)]
struct Open {
    address: SocketAddr,
    purpose: Purpose,
    /// Sent to or dropped, it closes the port. It is closed once no worker accepts there any more.
    until_dropped: watch::Sender<()>,
}

/// What is open and what could not be opened; for the admin pages. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct ListenerStatus {
    entries: Arc<Mutex<Vec<Listener>>>,
}

/// One line of a [`ListenerStatus`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What it is for.
    pub purpose: Purpose,
    /// The port.
    pub port: u16,
    /// Where it listens, or why it does not.
    pub state: Result<SocketAddr, String>,
}

impl ListenerStatus {
    /// Its current state.
    pub fn listeners(&self) -> Vec<Listener> {
        lock(&self.entries).clone()
    }
}

impl Ports {
    /// Nothing open yet. There must be at least one worker.
    pub fn new(workers: Vec<WorkerHandle>, binder: Binder) -> Self {
        Self {
            workers,
            binder,
            configured: BTreeMap::new(),
            fixed: Vec::new(),
            closed: false,
            listener_status: ListenerStatus::default(),
        }
    }

    /// What is open, kept up to date.
    pub fn listener_status(&self) -> ListenerStatus {
        self.listener_status.clone()
    }

    /// Opens a port for as long as the process runs.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub fn open(
        &mut self,
        purpose: Purpose,
        kind: ListenerKind,
        port: u16,
    ) -> Result<(), BindError> {
        let open = self.hand_out(purpose, kind, None, port)?;
        self.fixed.push(open);
        self.show();
        Ok(())
    }

    /// Opens and closes until exactly the `wanted` ports are open. One that cannot be opened does not stop the
    /// others; its error is given, and given again by the next call while it lasts. Once closed, they stay so.
    pub fn reconcile(&mut self, wanted: &[BoundPort]) -> Vec<BindError> {
        if self.closed {
            return Vec::new();
        }
        let wanted: BTreeSet<BoundPort> = wanted.iter().copied().collect();
        self.configured.retain(|port, state| {
            let keep = wanted.contains(port);
            if let (false, Ok(open)) = (keep, &*state) {
                self.binder.forget(open.purpose, open.address);
                info!(address = %open.address, "port closed: no Gateway or Sidecar configures it any more");
            }
            keep
        });
        let mut errors = Vec::new();
        for port in wanted {
            if matches!(self.configured.get(&port), Some(Ok(_))) {
                continue;
            }
            let opened = self.hand_out(
                Purpose::Configured,
                ListenerKind::Dialled,
                port.bind,
                port.port,
            );
            match opened {
                Ok(open) => {
                    info!(address = %open.address, "port open: a Gateway or Sidecar configures it");
                    self.configured.insert(port, Ok(open));
                }
                Err(error) => {
                    let message = error.to_string();
                    let before = self.configured.insert(port, Err(message.clone()));
                    if !matches!(before, Some(Err(before)) if before == message) {
                        error!("{message}");
                    }
                    errors.push(error);
                }
            }
        }
        self.show();
        errors
    }

    /// Keeps the configuration's ports as the snapshot in force wants them, for as long as it is polled.
    pub async fn follow(&mut self, current: &Current) {
        let mut changes = current.changes();
        loop {
            let failed = !self.reconcile(&current.load().bound_ports()).is_empty();
            if failed {
                // Either way it is time to look again.
                let _ = time::timeout(RETRY_INTERVAL, changes.changed()).await;
            } else if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Closes all ports for good. What waits in their queues is still accepted; returns when that is done.
    pub async fn close(&mut self) {
        self.closed = true;
        let configured = std::mem::take(&mut self.configured);
        let fixed = std::mem::take(&mut self.fixed);
        self.end(configured.into_values().flatten().chain(fixed).collect())
            .await;
    }

    /// Closes the ports of this purpose, as [`Ports::close`] does, and leaves the others.
    pub async fn close_only(&mut self, purpose: Purpose) {
        let (ending, left) = std::mem::take(&mut self.fixed)
            .into_iter()
            .partition(|open| open.purpose == purpose);
        self.fixed = left;
        self.end(ending).await;
    }

    async fn end(&mut self, open: Vec<Open>) {
        self.show();
        for port in &open {
            self.binder.forget(port.purpose, port.address);
            port.until_dropped.send_replace(());
        }
        for port in &open {
            port.until_dropped.closed().await;
        }
    }

    /// Binds a socket for each worker and hands them out.
    fn hand_out(
        &mut self,
        purpose: Purpose,
        kind: ListenerKind,
        bind: Option<IpAddr>,
        port: u16,
    ) -> Result<Open, BindError> {
        let count = NonZeroUsize::new(self.workers.len()).expect("there is a worker");
        let (address, sockets) = self.binder.shared(purpose, bind, port, count)?;
        let (until_dropped, open) = watch::channel(());
        for (worker, socket) in self.workers.iter().cycle().zip(sockets) {
            if worker
                .send(Order {
                    socket,
                    kind,
                    open: open.clone(),
                })
                .is_err()
            {
                error!(%address, "a worker has ended; its share of connections is not served");
            }
        }
        Ok(Open {
            address,
            purpose,
            until_dropped,
        })
    }

    /// Copies of all listening sockets, those of pages among them, for another proxy.
    ///
    /// # Errors
    /// The kernel's, for want of descriptors.
    pub fn copies(&self) -> io::Result<Vec<Handed>> {
        self.binder.copies()
    }

    /// Closes inherited sockets that were not used.
    pub fn settle(&mut self) {
        self.binder.settle();
    }

    fn show(&self) {
        let opened = |open: &Open| Listener {
            purpose: open.purpose,
            port: open.address.port(),
            state: Ok(open.address),
        };
        let configured = self.configured.iter().map(|(port, state)| match state {
            Ok(open) => opened(open),
            Err(message) => Listener {
                purpose: Purpose::Configured,
                port: port.port,
                state: Err(message.clone()),
            },
        });
        let entries = self.fixed.iter().map(opened).chain(configured).collect();
        *lock(&self.listener_status.entries) = entries;
    }
}

#[cfg(test)]
mod tests;
