//! Whole exchanges over loopback: a raw client, hyper's server, the pool, and origins that do as the test says.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use egret_config::decide::call::Arrival;
use egret_config::decide::call::HttpVersion;
use egret_config::decide::verdict::Forward;
use egret_config::host::HostPattern;
use egret_config::model::endpoint::Address;
use egret_config::model::mesh::AccessLogEncoding;
use egret_config::model::objects::Objects;
use egret_config::model::policy::ConnectionPool;
use egret_config::model::policy::LoadBalancer;
use egret_config::model::route::Retries;
use egret_config::port::Protocol;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::Cluster;
use egret_config::snapshot::cluster::ClusterPolicy;
use egret_config::snapshot::cluster::Discovery;
use egret_config::snapshot::cluster::Member;
use egret_config::snapshot::workload::Mode;
use egret_config::snapshot::workload::Workload;
use futures_util::FutureExt;
use http::HeaderMap;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::uri::PathAndQuery;
use http_body_util::BodyExt;
use http_body_util::Empty;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::LocalSet;
use tokio::task::spawn_local;

use crate::current::Current;
use crate::dns::names::Names;
use crate::failure::Cause;
use crate::failure::Failure;
use crate::http::caller::Caller;
use crate::http::caller::Told;
use crate::http::forward::Answered;
use crate::http::forward::forward;
use crate::http::outgoing::Outgoing;
use crate::http::serve::serve;
use crate::proxy::Proxy;
use crate::proxy::Shared;
use crate::report::access_log::AccessLog;
use crate::tls::originate::Originator;
use crate::tls::terminate::Terminator;
use crate::upstream::body::Received;
use crate::upstream::body::RequestBody;
use crate::upstream::pool::OnThisThread;

/// A worker without workers: a proxy, its access log in a file, and how much of that was read.
struct World {
    proxy: Rc<Proxy>,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let log = folder.path().join("access.log");
        let access_log = AccessLog::start().expect("access log");
        let path = log.to_str().expect("utf-8").into();
        access_log
            .configure(&path, AccessLogEncoding::Json)
            .expect("configured");
        let workload = Workload {
            mode: Mode::Sidecar,
            namespace: "default".into(),
            labels: Default::default(),
            addresses: Vec::new(),
            own_ports: Vec::new(),
        };
        let (snapshot, _) = Snapshot::build(&Objects::default(), workload);
        let proxy = Proxy::start(Shared {
            current: Arc::new(Current::new(snapshot)),
            access_log: Arc::new(access_log),
            names: Arc::new(Names::system(
                folder.path().join("resolv.conf"),
                Handle::current(),
            )),
            originator: Arc::new(Originator::new()),
            terminator: Arc::new(Terminator::new()),
            drain: crate::life::drain::Drain::new(),
        });
        Self {
            proxy,
            log,
            _folder: folder,
        }
    }

    /// A client connection that wants to go to `to`.
    fn client(&self, to: SocketAddr) -> DuplexStream {
        let (client, server) = tokio::io::duplex(1 << 16);
        let caller = Caller {
            arrival: arrival(to),
            terminated: None,
        };
        spawn_local(serve(
            server,
            HttpVersion::One,
            Rc::new(caller),
            Rc::clone(&self.proxy),
        ));
        client
    }

    /// The lines of the access log so far.
    fn lines(&self) -> Vec<serde_json::Value> {
        assert!(self.proxy.access_log.flush(Duration::from_secs(5)));
        let text = std::fs::read_to_string(&self.log).expect("log");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("json"))
            .collect()
    }
}

fn arrival(to: SocketAddr) -> Arrival {
    Arrival {
        client: ([127, 0, 0, 1], 40_000).into(),
        to,
    }
}

/// Runs a test as a worker runs connections.
fn worker<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    LocalSet::new().block_on(&runtime, async { test().await });
}

/// An origin that does `act` with each connection, which it numbers from 0.
async fn origin<F: Future<Output = ()> + 'static>(
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
async fn message<S: tokio::io::AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
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

async fn answer(stream: &mut TcpStream, response: &str) {
    stream
        .write_all(response.as_bytes())
        .await
        .expect("written");
}

const OK: &str = "HTTP/1.1 200 OK\r\nX-Case: Kept\r\nserver: nginx\r\ncontent-length: 2\r\n\r\nhi";

async fn ask(client: &mut DuplexStream, request: &str) -> String {
    client.write_all(request.as_bytes()).await.expect("written");
    message(client).await.expect("an answer")
}

#[test]
fn a_request_passes_and_is_told() {
    worker(|| async {
        let world = World::new();
        let (to, accepted) = origin(async |mut stream, _| {
            while let Some(request) = message(&mut stream).await {
                assert!(request.starts_with("POST /b HTTP/1.1\r\n"), "{request}");
                assert!(request.contains("X-Spelled: As-Is\r\n"), "{request}");
                assert!(
                    request.contains("x-envoy-attempt-count: 1\r\n"),
                    "{request}"
                );
                assert!(request.contains("x-forwarded-proto: http\r\n"), "{request}");
                assert!(!request.to_lowercase().contains("keep-alive"), "{request}");
                assert!(request.ends_with("\r\n\r\nabc"), "{request}");
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let mut client = world.client(to);
        for _ in 0..3 {
            let response = ask(
                &mut client,
                "POST /a/../b HTTP/1.1\r\nHost: a.test\r\nX-Spelled: As-Is\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
            )
            .await;
            assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
            assert!(
                response.contains("server: egret\r\n") && !response.contains("nginx"),
                "{response}"
            );
            assert!(response.contains("X-Case: Kept\r\n"), "{response}");
            assert!(
                response.contains("x-envoy-upstream-service-time: "),
                "{response}"
            );
            assert!(response.contains("date: "), "{response}");
            assert!(response.ends_with("\r\n\r\nhi"), "{response}");
        }
        assert_eq!(accepted.get(), 1, "the connection is used again");
        let lines = world.lines();
        assert_eq!(lines.len(), 3);
        let line = &lines[2];
        assert_eq!(line["response_code"], 200);
        assert_eq!(line["response_flags"], "-");
        assert_eq!(line["response_code_details"], "via_upstream");
        assert_eq!(line["upstream_cluster"], "PassthroughCluster");
        assert_eq!(line["upstream_host"], to.to_string());
        assert_eq!(line["authority"], "a.test");
        assert_eq!(line["method"], "POST");
        assert_eq!(
            (&line["bytes_received"], &line["bytes_sent"]),
            (&3.into(), &2.into())
        );
        assert!(line["request_id"].is_string() && line["x_forwarded_for"].is_null());
    });
}

#[test]
fn a_connection_closed_while_idle_costs_nobody_an_error() {
    worker(|| async {
        let world = World::new();
        // Each connection answers once, promises to stay, and closes.
        let (to, accepted) = origin(async |mut stream, _| {
            if message(&mut stream).await.is_some() {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let mut client = world.client(to);
        for _ in 0..50 {
            let response = ask(&mut client, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
            assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        }
        assert_eq!(accepted.get(), 50);
    });
}

#[test]
fn a_connection_that_dies_under_a_safe_request_is_replaced() {
    worker(|| async {
        let world = World::new();
        // The first connection answers one request and swallows the next.
        let (to, accepted) = origin(async |mut stream, number| {
            message(&mut stream).await.expect("a request");
            answer(&mut stream, OK).await;
            message(&mut stream).await.expect("another request");
            if number > 0 {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let mut client = world.client(to);
        for _ in 0..2 {
            let response = ask(&mut client, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
            assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        }
        assert_eq!(accepted.get(), 2);
        let response = ask(
            &mut client,
            "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx",
        )
        .await;
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    });
}

#[test]
fn what_cannot_be_sent_on_is_refused() {
    worker(|| async {
        let world = World::new();
        let (to, accepted) = origin(async |_, _| {}).await;
        for (request, status, verdict) in [
            ("GET / HTTP/1.1\r\n\r\n", 400, "bad_request"),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                400,
                "bad_request",
            ),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad_request"),
            (
                "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
                404,
                "no_route",
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: irc\r\n\r\n",
                403,
                "upgrade_refused",
            ),
        ] {
            let response = ask(&mut world.client(to), request).await;
            assert!(
                response.starts_with(&format!("HTTP/1.1 {status} ")),
                "{request}{response}"
            );
            assert!(
                response.contains(&format!("x-egret-verdict: {verdict}\r\n")),
                "{response}"
            );
        }
        // hyper's own refusals are told as well.
        let mut client = world.client(to);
        let response = ask(&mut client, "GET / HTTP/1.1\r\nHost : a\r\n\r\n").await;
        assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
        client.read_to_end(&mut Vec::new()).await.expect("closed");
        let lines = world.lines();
        let told = |code: u16, flag: &str| {
            lines
                .iter()
                .filter(|line| line["response_code"] == code && line["response_flags"] == flag)
                .count()
        };
        assert_eq!(
            (told(400, "DPE"), told(404, "NR"), told(403, "-")),
            (4, 1, 1),
            "{lines:#?}"
        );
        assert_eq!(accepted.get(), 0);
    });
}

#[test]
fn a_head_has_no_body_and_a_broken_body_is_told() {
    worker(|| async {
        let world = World::new();
        let (to, _) = origin(async |mut stream, _| {
            let Some(request) = message(&mut stream).await else {
                return;
            };
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
            let body = if request.starts_with("HEAD") {
                ""
            } else {
                "half"
            };
            answer(&mut stream, &format!("{head}{body}")).await;
            if request.starts_with("HEAD") {
                message(&mut stream).await;
            }
        })
        .await;
        let mut client = world.client(to);
        client
            .write_all(b"HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            .await
            .expect("written");
        let mut head = vec![0; 4096];
        let count = client.read(&mut head).await.expect("read");
        let head = String::from_utf8_lossy(&head[..count]).into_owned();
        assert!(
            head.contains("content-length: 10\r\n") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        drop(client);

        let mut client = world.client(to);
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            .await
            .expect("written");
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.expect("closed");
        assert!(String::from_utf8_lossy(&all).ends_with("\r\n\r\nhalf"));
        let lines = world.lines();
        assert_eq!(lines[0]["method"], "HEAD");
        assert_eq!(
            (&lines[0]["bytes_sent"], &lines[0]["response_flags"]),
            (&0.into(), &"-".into())
        );
        assert_eq!(
            (&lines[1]["bytes_sent"], &lines[1]["response_flags"]),
            (&4.into(), &"UC".into())
        );
        assert_eq!(lines[1]["response_code"], 200);
    });
}

#[test]
fn a_websocket_becomes_a_relay() {
    worker(|| async {
        let world = World::new();
        let (to, _) = origin(async |mut stream, _| {
            let request = message(&mut stream).await.expect("a request");
            assert!(request.to_lowercase().contains("connection: upgrade\r\n"), "{request}");
            assert!(request.to_lowercase().contains("upgrade: websocket\r\n"), "{request}");
            answer(&mut stream, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await;
            let (mut reader, mut writer) = stream.split();
            tokio::io::copy(&mut reader, &mut writer).await.expect("echoed");
        })
        .await;
        let mut client = world.client(to);
        let response = ask(
            &mut client,
            "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        )
        .await;
        assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
        assert!(
            response.to_lowercase().contains("connection: upgrade\r\n"),
            "{response}"
        );
        client.write_all(b"ping").await.expect("written");
        let mut echo = [0; 4];
        client.read_exact(&mut echo).await.expect("echo");
        assert_eq!(&echo, b"ping");
        client.shutdown().await.expect("shutdown");
        client.read_to_end(&mut Vec::new()).await.expect("closed");
        let lines = world.lines();
        assert_eq!(lines[0]["response_code"], 101);
        assert_eq!(
            (&lines[0]["bytes_received"], &lines[0]["bytes_sent"]),
            (&4.into(), &4.into())
        );
    });
}

/// A cluster of these addresses.
fn cluster(addresses: &[SocketAddr]) -> Arc<Cluster> {
    let member = |address: &SocketAddr| Member {
        address: Address::Ip(address.ip()),
        port: address.port(),
        weight: 1,
        locality: "".into(),
        priority: 0,
    };
    Arc::new(Cluster {
        name: "outbound|80||a.test".into(),
        host: HostPattern::parse("a.test"),
        port: 80,
        subset: None,
        protocol: Protocol::Http,
        discovery: Discovery::Members(addresses.iter().map(member).collect()),
        policy: ClusterPolicy {
            load_balancer: LoadBalancer::RoundRobin,
            pool: ConnectionPool::default(),
            connect_timeout: Duration::from_secs(5),
            outlier_detection: None,
            tls: None,
            tunnel: None,
            proxy_protocol: None,
            retry_budget: None,
        },
        service_names: Vec::new(),
        origin: "ServiceEntry default/a".into(),
        destination_rules: Vec::new(),
    })
}

/// Forwards a GET to a cluster; the status or why there is none, and the tries it took.
async fn get(
    world: &World,
    cluster: &Arc<Cluster>,
    retries: Option<&Retries>,
    timeout: Option<Duration>,
) -> (Result<u16, Failure>, u32) {
    get_as(world, cluster, retries, timeout, "/").await
}

async fn get_path(
    world: &World,
    cluster: &Arc<Cluster>,
    path: &'static str,
) -> (Result<u16, Failure>, u32) {
    get_as(world, cluster, None, None, path).await
}

async fn get_as(
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
        fault: None,
        mirrors: &[],
        cors: None,
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
    };
    let caller = Caller {
        arrival: arrival(([127, 0, 0, 1], 80).into()),
        terminated: None,
    };
    let record = Box::new(caller.record(&world.proxy));
    let snapshot = world.proxy.current.load();
    let mut told = Told {
        record,
        received: Received::default(),
        tries: 0,
        grpc: false,
        own: &snapshot.mesh.proxy_headers,
    };
    let answered = forward(outgoing, &to, &caller, &world.proxy, &snapshot, &mut told).await;
    let status = match answered {
        Ok(Answered { reply, .. }) => {
            let status = reply.response.status().as_u16();
            reply.response.into_body().collect().await.expect("body");
            reply.lease.give_back();
            Ok(status)
        }
        Err(failure) => Err(failure),
    };
    (status, told.tries)
}

fn retries(on: &[&str], attempts: u32) -> Retries {
    Retries {
        attempts,
        try_timeout: None,
        on: on.iter().map(|word| (*word).into()).collect(),
        statuses: Vec::new(),
        backoff: Some(Duration::from_millis(1)),
    }
}

async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bind")
        .local_addr()
        .expect("address")
}

#[test]
fn a_member_that_refuses_is_avoided_by_the_next_try() {
    worker(|| async {
        let world = World::new();
        let (good, _) = origin(async |mut stream, _| {
            while message(&mut stream).await.is_some() {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let cluster = cluster(&[nobody().await, good]);
        let policy = retries(&["connect-failure"], 2);
        for _ in 0..4 {
            let (status, tries) = get(&world, &cluster, Some(&policy), None).await;
            assert_eq!(status.expect("answered"), 200);
            assert!(tries <= 2, "{tries}");
        }
        let mut failures = 0;
        for _ in 0..4 {
            let (status, tries) = get(&world, &cluster, None, None).await;
            assert_eq!(tries, 1);
            failures += u32::from(status.is_err());
        }
        assert_eq!(
            failures, 2,
            "without retries every other call meets the member that refuses"
        );
    });
}

#[test]
fn a_status_is_retried_if_the_route_says_so() {
    worker(|| async {
        let world = World::new();
        let (address, accepted) = origin(async |mut stream, number| {
            message(&mut stream).await;
            let status = if number < 2 { "503 Busy" } else { "200 OK" };
            answer(
                &mut stream,
                &format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"),
            )
            .await;
        })
        .await;
        let cluster = cluster(&[address]);
        let (status, tries) = get(&world, &cluster, Some(&retries(&["5xx"], 3)), None).await;
        assert_eq!(
            (status.expect("answered"), tries, accepted.get()),
            (200, 3, 3)
        );
        accepted.set(0);
        let (status, tries) = get(
            &world,
            &cluster,
            Some(&retries(&["connect-failure"], 3)),
            None,
        )
        .await;
        assert_eq!((status.expect("answered"), tries), (503, 1));
    });
}

#[test]
fn time_limits_and_empty_clusters_have_their_own_failures() {
    worker(|| async {
        let world = World::new();
        let (silent, _) = origin(async |mut stream, _| {
            stream.read_to_end(&mut Vec::new()).await.expect("closed");
        })
        .await;
        let cluster_of_one = cluster(&[silent]);
        let limit = Some(Duration::from_millis(20));
        let (status, _) = get(&world, &cluster_of_one, None, limit).await;
        assert_eq!(*status.expect_err("late").cause(), Cause::Timeout);
        let mut policy = retries(&["reset"], 1);
        policy.try_timeout = limit;
        let (status, tries) = get(&world, &cluster_of_one, Some(&policy), None).await;
        assert_eq!(
            (status.expect_err("late").cause(), tries),
            (&Cause::TryTimeout, 2)
        );
        let (status, _) = get(&world, &cluster(&[]), None, None).await;
        assert_eq!(*status.expect_err("nobody").cause(), Cause::NoEndpoint);
    });
}

#[test]
fn http2_clients_reach_http2_and_http1_origins() {
    worker(|| async {
        let world = World::new();
        let (one, _) = origin(async |mut stream, _| {
            while let Some(request) = message(&mut stream).await {
                assert!(request.starts_with("GET /x HTTP/1.1\r\n"), "{request}");
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let (two, accepted) = origin(async |stream, _| {
            let service = service_fn(async |request: Request<Incoming>| {
                assert_eq!(request.uri(), "http://a.test/x");
                assert_eq!(request.headers()["x-envoy-attempt-count"], "1");
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("two"))))
            });
            let serving = hyper::server::conn::http2::Builder::new(OnThisThread);
            serving
                .serve_connection(TokioIo::new(stream), service)
                .await
                .expect("served");
        })
        .await;
        let mut cluster_of_two = Cluster::clone(&cluster(&[two]));
        cluster_of_two.protocol = Protocol::Grpc;
        let cluster_of_two = Arc::new(cluster_of_two);
        for _ in 0..3 {
            let (status, _) = get_path(&world, &cluster_of_two, "/x").await;
            assert_eq!(status.expect("answered"), 200);
        }
        assert_eq!(accepted.get(), 1, "one connection carries them all");
        let (status, _) = get_path(&world, &cluster(&[one]), "/x").await;
        assert_eq!(status.expect("answered"), 200);

        // A client of the server side, passed on in its own protocol.
        let (client, server) = tokio::io::duplex(1 << 16);
        let caller = Caller {
            arrival: arrival(two),
            terminated: None,
        };
        spawn_local(serve(
            server,
            HttpVersion::Two,
            Rc::new(caller),
            Rc::clone(&world.proxy),
        ));
        let (mut sender, connection) = hyper::client::conn::http2::Builder::new(OnThisThread)
            .handshake(TokioIo::new(client))
            .await
            .expect("handshake");
        spawn_local(connection);
        let request = Request::get("http://a.test/x")
            .body(Empty::<Bytes>::new())
            .expect("request");
        let response = sender.send_request(request).await.expect("response");
        assert_eq!(
            (response.status().as_u16(), &response.headers()["server"]),
            (200, &"egret".parse().expect("value"))
        );
        assert_eq!(
            response
                .into_body()
                .collect()
                .await
                .expect("body")
                .to_bytes(),
            "two"
        );
        assert_eq!(world.lines().last().expect("a line")["protocol"], "HTTP/2");
    });
}

#[test]
fn it_is_known_when_the_whole_request_has_come() {
    worker(|| async {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let (sent, taken) = tokio::sync::oneshot::channel();
        let sent = Cell::new(Some(sent));
        spawn_local(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let sent = sent.take().expect("one request");
                sent.send(request.into_body()).expect("taken");
                std::future::pending::<Result<Response<Empty<Bytes>>, Infallible>>()
            });
            let serving = hyper::server::conn::http1::Builder::new();
            serving
                .serve_connection(TokioIo::new(server), service)
                .await
        });
        let head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nx";
        client.write_all(head).await.expect("written");
        let mut body = RequestBody::of_client(taken.await.expect("a request"));
        let received = body.received();
        body.frame().await.expect("a frame").expect("read");
        assert!(received.complete().now_or_never().is_none());
        assert_eq!(received.bytes(), 1);
        client.write_all(b"y").await.expect("written");
        let (frame, ()) = tokio::join!(body.frame(), received.complete());
        frame.expect("a frame").expect("read");
        assert_eq!(received.bytes(), 2);
    });
}
