//! Requests to the running process (signals, admin commands, handovers), and its end.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Notify, watch};
use tokio::time;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::app::access_log;
use crate::app::access_log::Reports;
use crate::current::Current;
use crate::life::drain::Drain;
use crate::life::end::{Command, DrainLimit, DrainTime};
use crate::life::signal::{Signal, Signals};
use crate::listen::bind::Purpose;
use crate::listen::binder::Handed;
use crate::listen::handover::Event;
use crate::listen::reconcile::Ports;
use crate::proxy::Shared;
use crate::report::spans::pace::Pace;

/// How long work in flight may take when the drain time is over, and how long cut connections may take to write their lines of
/// the access log.
const CUT_TIME: Duration = Duration::from_millis(500);

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At once. Active calls are cut.
    Now,
    /// After the drain time.
    Drained,
    /// Once nothing is in flight, after the drain time at the latest.
    Idle,
    /// Another proxy takes the calls: as soon as this one has none left, after the drain time at the latest.
    Replaced,
}

/// The sources of requests to the process, and the handles to carry them out.
pub(super) struct Requests<'a> {
    pub(super) signals: Signals,
    pub(super) commands: UnboundedReceiver<Command>,
    /// Events of a proxy that replaces this one.
    pub(super) handovers: UnboundedReceiver<Event>,
    /// Notified when the configuration is to be read again.
    pub(super) look: &'a Notify,
    pub(super) current: &'a Current,
    pub(super) reports: &'a Reports,
    pub(super) drain: &'a Drain,
    pub(super) drain_time: DrainTime,
    /// Whether inbound connections are drained apart: on sidecars.
    pub(super) has_inbound: bool,
    /// When `/drain_listeners?graceful` stops accepting.
    pub(super) closing: Option<Instant>,
    /// The agent's `/drain` was called: the next signal ends the process at once.
    pub(super) drained: bool,
}

/// A request that the control thread carries out.
enum Order {
    HandOver(Sender<io::Result<Vec<Handed>>>),
    End(End),
    CloseAll,
    CloseInbound,
}

impl Requests<'_> {
    /// Carries out requests and opens and closes ports as configured, until the process is to end.
    pub(super) async fn until_end(&mut self, ports: &mut Ports) -> End {
        let current = self.current;
        loop {
            let order = tokio::select! {
                order = self.next() => order,
                () = ports.follow(current) => self.next().await,
            };
            match order {
                Order::End(end) => return end,
                // The requester may have given up.
                Order::HandOver(reply) => drop(reply.send(ports.copies())),
                Order::CloseAll => ports.close().await,
                Order::CloseInbound => ports.close_only(Purpose::Inbound).await,
            }
        }
    }

    /// Handles requests until one needs the caller. Cancel safe.
    async fn next(&mut self) -> Order {
        loop {
            let order = tokio::select! {
                Some(command) = self.commands.recv() => self.obey(command),
                Some(event) = self.handovers.recv() => Some(match event {
                    Event::Wanted(reply) => Order::HandOver(reply),
                    Event::Replaced => {
                        info!("ending: another proxy has taken over");
                        Order::End(End::Replaced)
                    }
                }),
                signal = self.signals.next() => self.signalled(signal),
                () = sleep_until(self.closing) => {
                    self.closing = None;
                    Some(Order::CloseAll)
                }
            };
            if let Some(order) = order {
                return order;
            }
        }
    }

    fn obey(&mut self, command: Command) -> Option<Order> {
        match command {
            Command::Quit => {
                info!("ending: /quitquitquit");
                Some(Order::End(End::Now))
            }
            Command::Drain => {
                info!("draining: /drain");
                self.reports.spans.set_pace(Pace::Leaving);
                self.drained = true;
                self.drain_inbound()
            }
            Command::DrainListeners {
                graceful,
                inbound_only,
            } => {
                info!(graceful, inbound_only, "draining: /drain_listeners");
                self.reports.spans.set_pace(Pace::Leaving);
                if inbound_only {
                    return self.has_inbound.then(|| {
                        self.drain.start_inbound();
                        Order::CloseInbound
                    });
                }
                self.drain.start();
                if !graceful {
                    return Some(Order::CloseAll);
                }
                let mesh = self.current.load().mesh.termination_drain;
                self.closing = match self.drain_time.limit(mesh) {
                    DrainLimit::Time(time) | DrainLimit::Idle { at_least: time } => {
                        Some(Instant::now() + time)
                    }
                };
                None
            }
            Command::ReopenLogs => {
                info!("/reopen_logs: reopening the access log");
                access_log::configure(self.reports, &self.current.load());
                None
            }
        }
    }

    /// A gateway asks its clients to close their connections. New ones are served: kube-proxy still sends some for a while.
    fn drain_inbound(&self) -> Option<Order> {
        if self.has_inbound {
            self.drain.start_inbound();
            return Some(Order::CloseInbound);
        }
        self.drain.start();
        None
    }

    fn signalled(&self, signal: Signal) -> Option<Order> {
        match signal {
            Signal::End { name } => {
                info!(signal = name, "ending");
                Some(Order::End(match name {
                    _ if self.drained => End::Now,
                    "SIGINT" => End::Idle,
                    _ => End::Drained,
                }))
            }
            Signal::ReopenLogs => {
                info!("SIGUSR1: reopening the access log");
                access_log::configure(self.reports, &self.current.load());
                None
            }
            Signal::Reload => {
                info!("SIGHUP: reading the configuration again and reopening the access log");
                access_log::configure(self.reports, &self.current.load());
                self.look.notify_one();
                None
            }
        }
    }

    /// Returns at the second request to end.
    async fn again(&mut self) {
        loop {
            if let Order::End(_) = self.next().await {
                return;
            }
        }
    }
}

async fn sleep_until(when: Option<Instant>) {
    match when {
        Some(when) => time::sleep_until(when).await,
        None => pending().await,
    }
}

/// Stops accepting inbound connections and serves the others for the drain time that `end` allows, or until a second request
/// to end; then cuts the rest. Outbound connections are accepted until then: an application that ends may still make calls,
/// and kube-proxy still sends connections to a gateway for a while.
pub(super) async fn drain(
    end: End,
    shared: &Shared,
    mut ports: Ports,
    pages: watch::Sender<()>,
    mut requests: Requests<'_>,
) {
    requests.reports.spans.set_pace(Pace::Leaving);
    if end == End::Replaced {
        pages.send_replace(());
        ports.close().await;
    }
    if end != End::Now {
        shared.drain.start();
        let mesh = shared.current.load().mesh.termination_drain;
        let limit = requests.drain_time.limit(mesh);
        let left = tokio::select! {
            left = drained(end, limit, shared, &mut ports) => left,
            () = requests.again() => {
                info!("a second request to end: the drain is over");
                shared.drain.held()
            }
        };
        if left > 0 {
            warn!(
                left,
                "closing connections: the drain time is over, or a second request to end came"
            );
        }
    }
    // Without orders to wait for the workers end, and with them their connections.
    drop(ports);
    shared.drain.finish(CUT_TIME).await;
}

/// Serves until the drain time is over, and closes the ports. Returns the number of open connections.
async fn drained(end: End, limit: DrainLimit, shared: &Shared, ports: &mut Ports) -> usize {
    let drain = &shared.drain;
    let mut over = pin!(over(end, limit, drain));
    tokio::select! {
        () = &mut over => {}
        () = ports.follow(&shared.current) => over.await,
    }
    drain.close_idle();
    ports.close().await;
    // Connections in the accept queue are served, too.
    match limit {
        DrainLimit::Idle { .. } => drain.idle().await,
        // Either way it is over.
        DrainLimit::Time(_) => drop(time::timeout(CUT_TIME, drain.idle()).await),
    }
    drain.held()
}

/// Returns when the process need not go on.
async fn over(end: End, limit: DrainLimit, drain: &Drain) {
    match (end, limit) {
        (End::Idle, DrainLimit::Time(time)) => {
            drain.close_idle();
            // Either way it is over.
            let _ = time::timeout(time, drain.idle()).await;
        }
        (End::Replaced, limit) => {
            let (DrainLimit::Time(time) | DrainLimit::Idle { at_least: time }) = limit;
            let _ = time::timeout(time, drain.idle()).await;
        }
        (End::Idle, DrainLimit::Idle { .. }) => {
            drain.close_idle();
            drain.idle().await;
        }
        (_, DrainLimit::Time(time)) => time::sleep(time).await,
        (_, DrainLimit::Idle { at_least }) => {
            time::sleep(at_least).await;
            drain.close_idle();
            drain.idle().await;
        }
    }
}
