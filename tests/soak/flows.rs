//! The flows of the soak: clients in the pod, each of which makes one call after the other and insists on the right answer.

mod http;
mod grpc;
mod streams;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use egret_tests::netns::Host;
use egret_tests::places::{CNN, ELSEWHERE, Located};
use rustls::ClientConfig;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Clients of each flow.
const CLIENTS: usize = 2;

/// How often a client begins a call, while the one before has ended.
const PACE: Duration = Duration::from_millis(20);

/// A call that takes longer is lost.
const LIMIT: Duration = Duration::from_secs(12);

/// Losses that are kept with their reasons.
const REASONS_MAX: usize = 20;

/// A future of the one thing that a client does.
type Calling<'c> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'c>>;

/// Makes a call; an error is a call that is lost.
trait Client: Send {
    fn call(&mut self) -> Calling<'_>;
}

/// What a flow's calls came to.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) sent: AtomicU64,
    pub(crate) answered: AtomicU64,
    pub(crate) lost: AtomicU64,
    /// Microseconds of each answered call, in order of their ends.
    latencies: Mutex<Vec<u32>>,
    reasons: Mutex<Vec<String>>,
}

impl Tally {
    fn count(&self, outcome: anyhow::Result<()>, latency: Duration) {
        match outcome {
            Ok(()) => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                let micros = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
                self.latencies().push(micros);
            }
            Err(error) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                let reasons = self.reasons.lock();
                let mut reasons = reasons.unwrap_or_else(PoisonError::into_inner);
                if reasons.len() < REASONS_MAX {
                    reasons.push(format!("{error:#}"));
                }
            }
        }
    }

    fn latencies(&self) -> std::sync::MutexGuard<'_, Vec<u32>> {
        self.latencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The latencies from position `start` on, in microseconds, sorted.
    pub(crate) fn latencies_from(&self, start: usize) -> Vec<u32> {
        let mut part = self.latencies().get(start..).unwrap_or_default().to_vec();
        part.sort_unstable();
        part
    }

    /// How many latencies there are.
    pub(crate) fn measured(&self) -> usize {
        self.latencies().len()
    }

    /// Why calls were lost, the first ones.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let reasons = self.reasons.lock();
        reasons.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A kind of traffic.
pub(crate) struct Flow {
    pub(crate) name: &'static str,
    pub(crate) tally: Arc<Tally>,
}

/// All flows, running.
pub(crate) struct Flows {
    pub(crate) all: Vec<Flow>,
    runtime: Runtime,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Flows {
    /// Starts all clients in the pod.
    pub(crate) fn start(pod: &Host, tls: &Arc<ClientConfig>) -> anyhow::Result<Self> {
        // The runtime's threads are in the pod because the thread that makes them is.
        let runtime = pod.run(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .thread_name("clients")
                .build()
        })?;
        let stop = Arc::<AtomicBool>::default();
        let (mut all, mut clients) = (Vec::new(), Vec::new());
        for (name, client) in kinds(tls) {
            let tally = Arc::<Tally>::default();
            for _ in 0..CLIENTS {
                let (client, tally, stop) = (client(), Arc::clone(&tally), Arc::clone(&stop));
                clients.push(runtime.spawn(run(client, tally, stop)));
            }
            all.push(Flow { name, tally });
        }
        Ok(Self {
            all,
            runtime,
            stop,
            clients,
        })
    }

    /// Lets each client end its last call.
    pub(crate) fn finish(self) -> anyhow::Result<Vec<Flow>> {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            self.runtime.block_on(client)?;
        }
        self.runtime.shutdown_background();
        Ok(self.all)
    }
}

type Maker = Box<dyn Fn() -> Box<dyn Client>>;

fn kinds(tls: &Arc<ClientConfig>) -> [(&'static str, Maker); 7] {
    let at = |port: u16| SocketAddr::new(ELSEWHERE.v4(), port);
    let through_gateway = SocketAddr::new(CNN.v4(), 80);
    let tls = Arc::clone(tls);
    [
        (
            "HTTP/1",
            Box::new(move || Box::new(http::Http1::new(at(80), ELSEWHERE.name))),
        ),
        (
            "HTTP/2",
            Box::new(move || Box::new(http::Http2::new(at(82), ELSEWHERE.name))),
        ),
        (
            "gRPC",
            Box::new(move || Box::new(grpc::Grpc::new(at(83), ELSEWHERE.name))),
        ),
        (
            "WebSocket",
            Box::new(move || Box::new(streams::WebSocket::new(at(84), ELSEWHERE.name))),
        ),
        (
            "TLS passthrough",
            Box::new(move || Box::new(streams::Bytes::tls(at(443), ELSEWHERE.name, &tls))),
        ),
        (
            "TCP",
            Box::new(move || Box::new(streams::Bytes::plain(at(7000)))),
        ),
        (
            "gateway, TLS origination",
            Box::new(move || Box::new(http::Http1::new(through_gateway, CNN.name))),
        ),
    ]
}

async fn run(mut client: Box<dyn Client>, tally: Arc<Tally>, stop: Arc<AtomicBool>) {
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        tally.sent.fetch_add(1, Ordering::Relaxed);
        let begin = Instant::now();
        let outcome = timeout(LIMIT, client.call()).await;
        let outcome = outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in {LIMIT:?}")));
        tally.count(outcome, begin.elapsed());
    }
}
