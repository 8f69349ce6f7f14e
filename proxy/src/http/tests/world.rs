//! A worker, clients and origins in one thread.

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use egret_config::address::{ClientAddress, OriginalDestination};
use egret_config::decide::call::{Arrival, HttpVersion};
use egret_config::decide::verdict::Forward;
use egret_config::load::{Text, load};
use egret_config::model::endpoint::Address;
use egret_config::model::mesh::FormatSource;
use egret_config::model::objects::Objects;
use egret_config::model::route::Retries;
use egret_config::port::well_known;
use egret_config::problem::{Problem, Severity};
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::{Cluster, Discovery, Member};
use egret_config::snapshot::telemetry::AccessLogTarget;
use egret_config::snapshot::workload::{Mode, Workload};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Version};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{LocalSet, spawn_local};

use crate::client::body::{KEPT_MAX, KeptBytes, Received, RequestBody};
use crate::current::Current;
use crate::dns::names::Names;
use crate::failure::Failure;
use crate::http::downstream::{DownstreamConnection, ExchangeContext};
use crate::http::forward::{Answered, forward};
use crate::http::outgoing::Outgoing;
use crate::http::serve::serve;
use crate::life::admission::{Admission, ClientBounds};
use crate::life::client_times::ClientTimes;
use crate::life::files::FdBudget;
use crate::own_sockets::OwnSockets;
use crate::proxy::{Proxy, Shared};
use crate::report::access_log::AccessLog;
use crate::report::destinations::Destinations;
use crate::report::facts::{Facts, WireBytes};
use crate::report::metrics::identity::Identity;
use crate::report::metrics::registry::Metrics;
use crate::report::reporter::{Reporter, Sink};
use crate::tls::originate::Originator;
use crate::tls::terminate::Terminator;
use crate::upstream::sample;

/// Room for kept bodies: two and a half of the largest.
pub(super) const KEPT_BODIES_MAX: usize = KEPT_MAX * 5 / 2;

/// A worker without workers: a proxy, its access log in a file, and how much of that was read.
pub(super) struct World {
    pub(super) proxy: Rc<Proxy>,
    access_log: Arc<AccessLog>,
    wire: Arc<WireRecorder>,
    pub(super) log: PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        Self::of(&Objects::default(), Mode::Sidecar)
    }

    /// A world with services and routes, read without an error.
    pub(super) fn with(yaml: &str) -> Self {
        Self::with_mesh("", yaml)
    }

    /// The same with mesh settings.
    pub(super) fn with_mesh(mesh: &str, yaml: &str) -> Self {
        Self::of(&read(mesh, yaml), Mode::Sidecar)
    }

    /// A gateway, with objects read without an error.
    pub(super) fn gateway(yaml: &str) -> Self {
        Self::of(&read("", yaml), Mode::Gateway)
    }

    /// A sidecar with mesh settings, where redirected connections arrive at this port.
    pub(super) fn redirected(mesh: &str, yaml: &str, port: u16) -> Self {
        let mut workload = Workload::new(Mode::Sidecar, "default");
        workload.redirect_ports.push(port);
        Self::of_workload(&read(mesh, yaml), workload)
    }

    fn of(objects: &Objects, mode: Mode) -> Self {
        Self::of_workload(objects, Workload::new(mode, "default"))
    }

    fn of_workload(objects: &Objects, workload: Workload) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let log = folder.path().join("access.log");
        let access_log = Arc::new(AccessLog::new(false));
        let wire = Arc::new(WireRecorder::default());
        let sinks: [Arc<dyn Sink>; 2] = [access_log.clone(), wire.clone()];
        let path = log.to_str().expect("utf-8").into();
        let (_, errors) = access_log.configure(&[AccessLogTarget {
            provider: None,
            path,
            format: FormatSource::DefaultJson,
            omit_empty: false,
            filter: None,
        }]);
        assert!(errors.is_empty(), "{errors:?}");
        let (snapshot, _) = Snapshot::build(objects, workload);
        let (mode, current) = (snapshot.workload.mode, Arc::new(Current::new(snapshot)));
        let metrics = Metrics::new(mode, Identity::unknown(), Arc::clone(&current));
        let destinations = Destinations::new(Arc::clone(&current));
        let kept_bytes = KeptBytes::new(KEPT_BODIES_MAX, Arc::clone(&metrics.limits));
        let proxy = Proxy::start(Shared {
            own: Arc::new(OwnSockets::new(Arc::clone(&current))),
            current,
            reporter: Reporter::new(sinks),
            metrics: Arc::new(metrics),
            destinations: Arc::new(destinations),
            names: Arc::new(Names::system(
                folder.path().join("resolv.conf"),
                Handle::current(),
            )),
            originator: Arc::new(Originator::new()),
            shared_clusters: Arc::default(),
            terminator: Arc::new(Terminator::new()),
            kept_bytes,
            admission: Admission::new(ClientBounds::default()),
            client_times: ClientTimes::of(mode),
            probe_port: well_known::PROBE,
            drain: crate::life::drain::Drain::new(),
        });
        Self {
            proxy,
            access_log,
            wire,
            log,
            _folder: folder,
        }
    }

    /// A client connection that wants to go to `to`.
    pub(super) fn client(&self, to: SocketAddr) -> DuplexStream {
        let (client, server) = tokio::io::duplex(1 << 16);
        let downstream = DownstreamConnection::of(arrival(to));
        spawn_local(serve(
            server,
            HttpVersion::Http1,
            Rc::new(downstream),
            Rc::clone(&self.proxy),
            FdBudget::new(2).try_hold().expect("room for one"),
        ));
        client
    }

    /// A client connection that speaks HTTP/2.
    pub(super) fn client2(&self, to: SocketAddr) -> DuplexStream {
        let (client, server) = tokio::io::duplex(1 << 16);
        let downstream = DownstreamConnection::of(arrival(to));
        spawn_local(serve(
            server,
            HttpVersion::Http2,
            Rc::new(downstream),
            Rc::clone(&self.proxy),
            FdBudget::new(2).try_hold().expect("room for one"),
        ));
        client
    }

    /// The bytes on the wire of each call that was reported since this was last asked.
    pub(super) fn wire_bytes(&self) -> Vec<WireBytes> {
        std::mem::take(&mut *self.wire.0.lock().expect("lock"))
    }

    /// Writes lines of this JSON format from now on.
    pub(super) fn log_as(&self, format: serde_json::Value) {
        let serde_json::Value::Object(format) = format else {
            panic!("{format} is no object")
        };
        let (needs, errors) = self.access_log.configure(&[AccessLogTarget {
            provider: None,
            path: self.log.to_str().expect("utf-8").into(),
            format: FormatSource::Json(Arc::new(format)),
            omit_empty: false,
            filter: None,
        }]);
        assert!(errors.is_empty(), "{errors:?}");
        self.proxy.reporter.require(&needs);
    }

    /// The lines of the access log so far.
    pub(super) fn lines(&self) -> Vec<serde_json::Value> {
        assert!(self.access_log.flush(Duration::from_secs(5)));
        let text = std::fs::read_to_string(&self.log).expect("log");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("json"))
            .collect()
    }
}

/// Keeps the bytes of calls on their clients' connections.
#[derive(Debug, Default)]
struct WireRecorder(Mutex<Vec<WireBytes>>);

impl Sink for WireRecorder {
    fn report(&self, facts: &Facts) {
        self.0.lock().expect("lock").push(facts.downstream.wire);
    }
}

/// Objects that are read without an error.
fn read(mesh: &str, yaml: &str) -> Objects {
    let text = |yaml: &str| Text {
        file: "test.yaml".into(),
        bytes: yaml.into(),
    };
    let (objects, problems) = load(&[text(yaml)], Some(&text(mesh)));
    let wrong = |problem: &Problem| problem.severity == Severity::Error;
    assert!(!problems.iter().any(wrong), "{problems:#?}");
    objects
}

pub(super) fn arrival(to: SocketAddr) -> Arrival {
    let client = ClientAddress(([127, 0, 0, 1], 40_000).into());
    Arrival::new(client, OriginalDestination(to))
}

/// Runs a test as a worker runs connections.
pub(super) fn worker<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    LocalSet::new().block_on(&runtime, async { test().await });
}

/// An origin that does `act` with each connection, which it numbers from 0.
pub(super) async fn origin<F: Future<Output = ()> + 'static>(
    act: impl Fn(TcpStream, usize) -> F + 'static,
) -> (SocketAddr, Rc<Cell<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let accepted = Rc::new(Cell::new(0));
    let count = Rc::clone(&accepted);
    spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = count.replace(count.get() + 1);
            spawn_local(act(stream, number));
        }
    });
    (address, accepted)
}

/// Reads up to the end of a header block, and what `content-length` promises after it.
pub(super) async fn message<S: tokio::io::AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        read.push(byte[0]);
    }
    let head = String::from_utf8(read).expect("utf-8");
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().expect("a number"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + std::str::from_utf8(&body).expect("utf-8"))
}

pub(super) async fn answer(stream: &mut TcpStream, response: &str) {
    stream
        .write_all(response.as_bytes())
        .await
        .expect("written");
}

pub(super) const OK: &str =
    "HTTP/1.1 200 OK\r\nX-Case: Kept\r\nserver: nginx\r\ncontent-length: 2\r\n\r\nhi";

pub(super) async fn ask(client: &mut DuplexStream, request: &str) -> String {
    client.write_all(request.as_bytes()).await.expect("written");
    message(client).await.expect("an answer")
}

/// A cluster of these addresses.
pub(super) fn cluster(addresses: &[SocketAddr]) -> Arc<Cluster> {
    let member = |address: &SocketAddr| Member {
        address: Address::Ip(address.ip()),
        port: address.port(),
        weight: 1,
        locality: "".into(),
        priority: 0,
        workload: None,
    };
    sample::cluster(Discovery::Members(addresses.iter().map(member).collect()))
}

/// Forwards a GET to a cluster; the status or why there is none, and the tries it took.
pub(super) async fn get(
    world: &World,
    cluster: &Arc<Cluster>,
    retries: Option<&Retries>,
    timeout: Option<Duration>,
) -> (Result<u16, Failure>, u32) {
    get_as(world, cluster, retries, timeout, "/").await
}

pub(super) async fn get_path(
    world: &World,
    cluster: &Arc<Cluster>,
    path: &'static str,
) -> (Result<u16, Failure>, u32) {
    get_as(world, cluster, None, None, path).await
}

pub(super) async fn get_as(
    world: &World,
    cluster: &Arc<Cluster>,
    retries: Option<&Retries>,
    timeout: Option<Duration>,
    path: &'static str,
) -> (Result<u16, Failure>, u32) {
    let to = Forward {
        cluster,
        path: None,
        authority: None,
        timeout,
        retries,
        mirrors: &[],
        headers: [None, None],
    };
    let request = Request::get("http://a.test/").body(()).expect("request");
    let mut parts = request.into_parts().0;
    parts.headers = HeaderMap::new();
    let outgoing = Outgoing {
        parts,
        authority: HeaderValue::from_static("a.test"),
        path: PathAndQuery::from_static(path),
        body: RequestBody::empty(),
        upgrade: None,
        informational: None,
    };
    let downstream = DownstreamConnection::of(arrival(([127, 0, 0, 1], 80).into()));
    let facts = downstream.facts(&world.proxy, None);
    let snapshot = world.proxy.current.load();
    let mut context = ExchangeContext {
        downstream: &downstream,
        snapshot: &snapshot,
        proxy: &world.proxy,
        facts,
        client_version: Version::HTTP_11,
        received: Received::default(),
        tries: 0,
        head: false,
        grpc: false,
        deadline: None,
        trace: None,
    };
    let answered = forward(outgoing, &to, &mut context).await;
    let status = match answered {
        Ok(Answered { reply, .. }) => {
            let status = reply.response.status().as_u16();
            reply.response.into_body().collect().await.expect("body");
            reply.lease.give_back();
            Ok(status)
        }
        Err(failure) => Err(failure),
    };
    (status, context.tries)
}

pub(super) fn retries(on: &[&str], attempts: u32) -> Retries {
    Retries {
        attempts,
        try_timeout: None,
        on: on.iter().map(|word| (*word).into()).collect(),
        statuses: Vec::new(),
        backoff: Some(Duration::from_millis(1)),
        fresh_hosts: true,
        other_priorities: false,
    }
}

pub(super) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bind")
        .local_addr()
        .expect("address")
}

/// Where clients dial the services of [`service`].
pub(super) fn vip() -> SocketAddr {
    ([10, 0, 0, 1], 80).into()
}

/// A service of this name and protocol with these members.
pub(super) fn service(name: &str, protocol: &str, members: &[SocketAddr]) -> String {
    let members: Vec<_> = members
        .iter()
        .map(|member| {
            format!(
                "{{address: {}, ports: {{p: {}}}}}",
                member.ip(),
                member.port()
            )
        })
        .collect();
    let endpoints = members.join(", ");
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  \
         hosts: [{name}.test]\n  ports: [{{number: 80, name: p, protocol: {protocol}}}]\n  \
         resolution: STATIC\n  endpoints: [{endpoints}]\n"
    )
}

/// The HTTP rule of a host, in YAML's flow form.
pub(super) fn rule(name: &str, rule: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}}}\nspec:\n  \
         hosts: [{name}.test]\n  http: [{{{rule}}}]\n"
    )
}

/// Runs hyper's HTTP/2 tasks on the thread that asked for them.
#[derive(Clone, Copy, Debug)]
pub(super) struct OnThisThread;

impl<F> hyper::rt::Executor<F> for OnThisThread
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        spawn_local(async move {
            future.await;
        });
    }
}
