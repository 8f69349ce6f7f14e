//! What the process is asked for while it runs, and how it ends.

use std::future::Future;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time;
use tracing::{info, warn};

use crate::app::access_log;
use crate::current::Current;
use crate::life::drain::Drain;
use crate::life::signal::{Signal, Signals};
use crate::listen::reconcile::Ports;
use crate::proxy::Shared;
use crate::report::access_log::AccessLog;

/// How long cut connections may take to write their lines of the access log.
const CUT_TIME: Duration = Duration::from_millis(500);

/// Where requests to the process arrive, and what it takes to obey them.
pub(super) struct Requests<'a> {
    pub(super) signals: Signals,
    /// Notified by `/quitquitquit`.
    pub(super) quit: &'a Notify,
    /// Notified when the configuration is to be looked at.
    pub(super) look: &'a Notify,
    pub(super) current: &'a Current,
    pub(super) access_log: &'a AccessLog,
}

impl Requests<'_> {
    /// Obeys until the process is to end.
    pub(super) async fn until_end(&mut self) {
        loop {
            let signal = tokio::select! {
                () = self.quit.notified() => {
                    info!("ending: /quitquitquit");
                    return;
                }
                signal = self.signals.next() => signal,
            };
            match signal {
                Signal::End { name } => {
                    info!(signal = name, "ending");
                    return;
                }
                Signal::ReopenLogs => {
                    info!("SIGUSR1: reopening the access log");
                    access_log::configure(self.access_log, &self.current.load());
                }
                Signal::Reload => {
                    info!("SIGHUP: reading the configuration again and reopening the access log");
                    access_log::configure(self.access_log, &self.current.load());
                    self.look.notify_one();
                }
            }
        }
    }
}

/// Takes no more inbound connections and waits for work in flight, up to `patience` or until `again` returns; then cuts it.
/// Outbound connections are accepted until nothing is in flight: an application that ends may still have calls to make,
/// and kube-proxy sends connections to a gateway a while longer.
pub(super) async fn drain(
    patience: Duration,
    shared: &Shared,
    mut ports: Ports,
    again: impl Future<Output = ()>,
) {
    let drain: &Drain = &shared.drain;
    drain.start();
    let orderly = async {
        tokio::select! {
            () = drain.idle() => {}
            () = ports.follow(&shared.current) => drain.idle().await,
        }
        ports.close().await;
        drain.idle().await;
    };
    tokio::select! {
        () = orderly => return,
        () = time::sleep(patience) => {
            let left = drain.held();
            warn!(left, after = ?patience, "closing connections: --drain-time is over");
        }
        () = again => {
            let left = drain.held();
            warn!(left, "closing connections: a second signal asked for the end");
        }
    }
    // Without orders to wait for the workers end, and with them their connections.
    drop(ports);
    drain.finish(CUT_TIME).await;
}
