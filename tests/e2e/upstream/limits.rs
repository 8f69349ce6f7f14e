//! `connectionPool`: what is too much is refused, and told as overflow.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::Context;
use egret_tests::client::curl;
use egret_tests::egret::Proxy;
use egret_tests::folder::Folder;
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;
use egret_tests::objects::{DestinationRule, MeshConfig, ServiceEntry, documents};
use egret_tests::origin::{Answer, Origin, at_once, text};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP, Site};
use egret_tests::process::Process;
use egret_tests::topology::World;
use egret_tests::{DEADLINE, client, nginx};
use hyper::StatusCode;
use tokio::sync::watch;

use crate::helpers::stage;
use crate::helpers::stage::{ALLOW_ANY, REGISTRY_ONLY, elsewhere, field};

/// What is in front of [`ELSEWHERE`] where HTTP/2 is spoken.
const FRONT: Site = Site {
    name: "front",
    number: 22,
};

fn config(pool: &str) -> String {
    elsewhere(&[ELSEWHERE.v4()], &format!("connectionPool: {{{pool}}}"))
}

/// An answer that waits for the word.
fn held(go: &watch::Receiver<bool>) -> Answer {
    let go = go.clone();
    Arc::new(move |_| {
        let mut go = go.clone();
        Box::pin(async move {
            // The test's end is a word, too.
            let _ = go.wait_for(|go| *go).await;
            text(StatusCode::OK, "done\n")
        })
    })
}

#[test]
fn requests_wait_for_a_connection_but_not_too_many() -> anyhow::Result<()> {
    let world = World::new("limits-pending", Family::V4)?;
    let (word, go) = watch::channel(false);
    let origin = world.http(ELSEWHERE, 80, &held(&go))?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = Folder::with(&[REGISTRY_ONLY])?;
    let pool = "tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}";
    folder.write("elsewhere.yaml", &config(pool))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    let url = ["http://elsewhere.example/"];
    let first = client::start(&pod, &url)?;
    origin.requests.await_one(|_| true)?;
    let others = [client::start(&pod, &url)?, client::start(&pod, &url)?];
    let line = sidecar.await_access(|line| field(line, "response_flags") == "UO")?;
    assert_eq!(
        field(&line, "response_code_details"),
        "upstream_reset_before_response_started{overflow}",
        "{line:#}"
    );
    assert_eq!(origin.connections.len(), 1);
    word.send_replace(true);
    assert_eq!(first.finish()?.status, 200);
    let mut statuses = Vec::new();
    for other in others {
        statuses.push(other.finish()?.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 503], "one waits, one is too much");
    Ok(())
}

#[test]
fn so_many_requests_at_once() -> anyhow::Result<()> {
    let world = World::new("limits-requests", Family::V4)?;
    let (word, go) = watch::channel(false);
    let origin = world.http(ELSEWHERE, 80, &held(&go))?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = stage::registered("elsewhere.yaml", &config("http: {http2MaxRequests: 1}"))?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    let url = ["http://elsewhere.example/"];
    let first = client::start(&pod, &url)?;
    origin.requests.await_one(|_| true)?;
    assert_eq!(curl(&pod, &url)?.status, 503);
    word.send_replace(true);
    assert_eq!(first.finish()?.status, 200);
    assert_eq!(curl(&pod, &url)?.status, 200, "the place is free again");
    Ok(())
}

/// A site of HTTP/2 whose origin holds its answers until the word is given, and a pod that calls it.
struct Stage {
    config: Folder,
    pod: Host,
    _nginx: Process,
    origin: Origin,
    word: watch::Sender<bool>,
    world: World,
}

impl Stage {
    /// The site's calls are limited by the connection pool `pool`.
    fn new(name: &str, pool: &str) -> anyhow::Result<Self> {
        let world = World::new(name, Family::V4)?;
        let (word, go) = watch::channel(false);
        world.resolve("elsewhere.example", &[FRONT.v4()]);
        let entry = ServiceEntry::new("elsewhere.example").port(80, "HTTP2");
        let policy = format!("{{connectionPool: {{{pool}}}}}");
        let config = documents(&[
            &entry.port(7000, "TCP").at([FRONT.v4()]),
            &DestinationRule::new("elsewhere.example", &policy),
        ]);
        Ok(Self {
            config: stage::registered("elsewhere.yaml", &config)?,
            pod: world.pod(SLEEP, "default")?,
            origin: world.http(ELSEWHERE, 8080, &held(&go))?,
            _nginx: http2_in_front(&world)?,
            word,
            world,
        })
    }

    fn sidecar(&self) -> anyhow::Result<Proxy<'_>> {
        stage::sidecar(&self.world, &self.pod, "default", &self.config)
    }
}

/// An nginx that speaks HTTP/2 without TLS, and says on which of its connections each request came.
fn http2_in_front(world: &World) -> anyhow::Result<Process> {
    let server = format!(
        "  server {{ listen {}:80 http2; location / {{ proxy_pass http://{}:8080;\n    \
         proxy_set_header x-connection $connection; }} }}",
        FRONT.v4(),
        ELSEWHERE.v4()
    );
    nginx::serve(world, &server)
}

/// Calls so many times at once over one connection of a client, hence through one worker.
fn at_once_over_http2(pod: &Host, times: usize) -> anyhow::Result<client::Running> {
    let mut arguments = vec![
        "--parallel",
        "--parallel-immediate",
        "--http2-prior-knowledge",
    ];
    arguments.extend(vec!["http://elsewhere.example/"; times]);
    client::start(pod, &arguments)
}

#[test]
fn so_many_requests_on_a_connection_at_a_time() -> anyhow::Result<()> {
    let stage = Stage::new("limits-streams", "http: {maxConcurrentStreams: 2}")?;
    let sidecar = stage.sidecar()?;
    let calls = at_once_over_http2(&stage.pod, 6)?;
    let mut on: HashMap<String, usize> = HashMap::new();
    stage
        .origin
        .requests
        .await_from(5, |_| true)
        .with_context(|| sidecar.everything())?;
    for seen in stage.origin.requests.all() {
        let connection = seen
            .headers
            .get("x-connection")
            .and_then(|one| one.to_str().ok());
        *on.entry(connection.unwrap_or_default().to_owned())
            .or_default() += 1;
    }
    assert_eq!(on.values().sum::<usize>(), 6);
    assert!(on.values().all(|count| *count <= 2), "{on:?}");
    stage.word.send_replace(true);
    assert_eq!(calls.finish()?.status, 200);
    Ok(())
}

#[test]
fn so_many_requests_of_http2_at_once() -> anyhow::Result<()> {
    let stage = Stage::new("limits-http2", "http: {http2MaxRequests: 2}")?;
    let sidecar = stage.sidecar()?;
    let calls = at_once_over_http2(&stage.pod, 3)?;
    let line = sidecar.await_access(|line| field(line, "response_flags") == "UO")?;
    assert_eq!(line["response_code"], 503, "{line:#}");
    stage.origin.requests.await_from(1, |_| true)?;
    stage.word.send_replace(true);
    calls.finish()?;
    assert_eq!(stage.origin.requests.len(), 2);
    assert_eq!(
        curl(&stage.pod, &["http://elsewhere.example/"])?.status,
        200,
        "there is room again"
    );
    Ok(())
}

#[test]
fn a_connection_carries_so_many_requests() -> anyhow::Result<()> {
    let world = World::new("limits-per-connection", Family::V4)?;
    let origin = world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "")))?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = Folder::with(&[REGISTRY_ONLY])?;
    let pool = "http: {maxRequestsPerConnection: 2}";
    folder.write("elsewhere.yaml", &config(pool))?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    // One client connection, so one worker and one pool.
    let url = "http://elsewhere.example/";
    curl(&pod, &[url, url, url, url, url])?;
    assert_eq!((origin.requests.len(), origin.connections.len()), (5, 3));
    Ok(())
}

#[test]
fn a_byte_stream_too_many_is_closed() -> anyhow::Result<()> {
    let world = World::new("limits-tcp", Family::V4)?;
    let origin = world.echo(&world.internet, &[ELSEWHERE.v4()], 7000, b"hello")?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = stage::registered("elsewhere.yaml", &config("tcp: {maxConnections: 1}"))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    let open = || {
        pod.run(|| {
            let mut stream = TcpStream::connect((ELSEWHERE.v4(), 7000))?;
            let mut greeting = [0; 5];
            let greeted = stream.read_exact(&mut greeting).is_ok();
            std::io::Result::Ok((stream, greeted))
        })
    };
    let (first, greeted) = open()?;
    assert!(greeted);
    let (_second, greeted) = open()?;
    assert!(!greeted);
    let line = sidecar.await_access(|line| field(line, "response_flags") == "UO")?;
    assert_eq!(
        field(&line, "upstream_cluster"),
        "outbound|7000||elsewhere.example"
    );
    drop(first);
    sidecar.await_access(|line| line["bytes_sent"] == 5)?;
    assert!(open()?.1, "the place is free again");
    assert_eq!(origin.connections.len(), 2);
    Ok(())
}

#[test]
fn a_byte_stream_ends_at_its_greatest_age() -> anyhow::Result<()> {
    let world = World::new("limits-age", Family::V4)?;
    let _origin = world.echo(&world.internet, &[ELSEWHERE.v4()], 7000, b"hello")?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = Folder::with(&[REGISTRY_ONLY])?;
    let pool = "tcp: {maxConnectionDuration: 0.3s}";
    folder.write("elsewhere.yaml", &config(pool))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    assert_eq!(pod.run(hello_until_the_end)?, "hello you");
    sidecar.await_access(|line| field(line, "response_flags") == "DT")?;
    Ok(())
}

/// What is said on a byte stream to a server that greets and echoes, whose client never ends it.
fn hello_until_the_end() -> std::io::Result<String> {
    let mut stream = TcpStream::connect((ELSEWHERE.v4(), 7000))?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(b" you")?;
    let mut said = String::new();
    stream.read_to_string(&mut said)?;
    Ok(said)
}

#[test]
fn the_meshs_keepalive_is_that_of_every_connection() -> anyhow::Result<()> {
    let world = World::new("limits-keepalive", Family::V4)?;
    let _origin = world.echo(&world.internet, &[ELSEWHERE.v4()], 7000, b"hello")?;
    let _unknown = world.echo(&world.internet, &[FRONT.v4()], 7001, b"hello")?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = Folder::with(&[ALLOW_ANY])?;
    folder.write("elsewhere.yaml", &config("tcp: {connectTimeout: 5s}"))?;
    folder.write(
        "mesh.yaml",
        &MeshConfig::new()
            .set("tcpKeepalive: {time: 75s, interval: 15s, probes: 3}")
            .to_string(),
    )?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    for (site, port) in [(ELSEWHERE, 7000), (FRONT, 7001)] {
        let _open = pod.run(move || {
            let mut stream = TcpStream::connect((site.v4(), port))?;
            stream.read_exact(&mut [0; 5])?;
            std::io::Result::Ok(stream)
        })?;
        let to = format!("dst {}:{port}", site.v4());
        let command = pod.command(0, Path::new("ss"), &["-tnpo", "state", "established", &to]);
        let seen = Process::run(&pod, command)?.output;
        // The application's own connection to the same place has none.
        let probed = seen
            .lines()
            .filter(|line| line.contains("timer:(keepalive,1min"));
        assert_eq!(probed.count(), 1, "{seen}\n{}", sidecar.everything());
    }
    Ok(())
}

/// What a connection brings to its end: an HTTP answer for each head that comes, and the time of its end.
fn ends(world: &World) -> anyhow::Result<Ledger<&'static str>> {
    let listener = world.internet.listen(ELSEWHERE.v4(), 80)?;
    listener.set_nonblocking(false)?;
    let told = Ledger::default();
    let ledger = told.clone();
    thread::spawn(move || -> std::io::Result<()> {
        loop {
            let (mut stream, _) = listener.accept()?;
            told.push("begun");
            let mut read = Vec::new();
            let mut byte = [0];
            while stream.read(&mut byte)? > 0 {
                read.extend(byte);
                if read.ends_with(b"\r\n\r\n") {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
                    read.clear();
                }
            }
            told.push("ended");
        }
    });
    Ok(ledger)
}

#[test]
fn an_idle_connection_is_closed() -> anyhow::Result<()> {
    let world = World::new("limits-idle", Family::V4)?;
    let ends = ends(&world)?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = stage::registered("elsewhere.yaml", &config("http: {idleTimeout: 0.5s}"))?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    assert_eq!(curl(&pod, &["http://elsewhere.example/"])?.status, 200);
    ends.await_one(|what| *what == "ended")?;
    assert_eq!(curl(&pod, &["http://elsewhere.example/"])?.status, 200);
    Ok(())
}

#[test]
fn a_connection_is_not_used_beyond_its_greatest_age() -> anyhow::Result<()> {
    let world = World::new("limits-http-age", Family::V4)?;
    let origin = world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "")))?;
    let pod = world.pod(SLEEP, "default")?;
    let pool = "tcp: {maxConnectionDuration: 0.5s}";
    let folder = stage::registered("elsewhere.yaml", &config(pool))?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    // Each curl is served by one worker, and each worker has a connection of its own.
    let workers = thread::available_parallelism()?.get();
    stage::until(|| {
        curl(&pod, &["http://elsewhere.example/"])?;
        Ok(origin.connections.len() > workers)
    })
}

#[test]
fn an_idle_byte_stream_is_ended() -> anyhow::Result<()> {
    let world = World::new("limits-tcp-idle", Family::V4)?;
    let _origin = world.echo(&world.internet, &[ELSEWHERE.v4()], 7000, b"hello")?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = stage::registered("elsewhere.yaml", &config("tcp: {idleTimeout: 0.4s}"))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    assert_eq!(pod.run(hello_until_the_end)?, "hello you");
    let line = sidecar.await_access(|line| line["bytes_sent"] == 9)?;
    assert!(line["duration"].as_u64() >= Some(400), "{line:#}");
    Ok(())
}

#[test]
fn keepalive_of_a_destination() -> anyhow::Result<()> {
    let world = World::new("limits-own-keepalive", Family::V4)?;
    let _origin = world.echo(&world.internet, &[ELSEWHERE.v4()], 7000, b"hello")?;
    let pod = world.pod(SLEEP, "default")?;
    let keepalive = "tcp: {tcpKeepalive: {time: 7200s, interval: 75s, probes: 9}}";
    let folder = stage::registered("elsewhere.yaml", &config(keepalive))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    let _open = pod.run(move || {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 7000))?;
        stream.read_exact(&mut [0; 5])?;
        std::io::Result::Ok(stream)
    })?;
    let to = format!("dst {}:7000", ELSEWHERE.v4());
    let command = pod.command(0, Path::new("ss"), &["-tnpo", "state", "established", &to]);
    let seen = Process::run(&pod, command)?.output;
    let probed = seen
        .lines()
        .filter(|line| line.contains("egret-proxy") && line.contains("timer:(keepalive,119min"));
    assert_eq!(probed.count(), 1, "{seen}\n{}", sidecar.everything());
    Ok(())
}
