//! Clients that behave, and how long they wait for their answers.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use egret_tests::DEADLINE;
use egret_tests::netns::Host;
use egret_tests::places::{ELSEWHERE, Located};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::timeout;

const REQUEST: &[u8] = b"GET /small HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n";

/// How long each answer took, the shortest first.
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// The time that this part of the answers, in percent, did not exceed.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0
            .get(last * percent / 100)
            .copied()
            .unwrap_or_default()
    }
}

/// Has clients in a pod make so many requests each: one with a new connection for each, one with a connection that it keeps,
/// and one of HTTP/2.
///
/// # Errors
/// When a request is not answered with 200 in time.
pub(super) fn ask(pod: &Host, each: usize) -> anyhow::Result<Times> {
    pod.run(move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (news, kept, http2) = runtime.block_on(async {
            tokio::try_join!(with_new(each), with_kept(each), with_http2(each))
        })?;
        let mut all = [news, kept, http2].concat();
        all.sort_unstable();
        Ok(Times(all))
    })
}

async fn with_new(count: usize) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    for number in 0..count {
        let asked = async {
            let mut stream = connect().await?;
            answer(&mut stream).await
        };
        let time = timed(asked).await;
        times.push(time.with_context(|| format!("new connection {number}"))?);
    }
    Ok(times)
}

async fn with_kept(count: usize) -> anyhow::Result<Vec<Duration>> {
    let mut stream = connect().await?;
    let mut times = Vec::new();
    for number in 0..count {
        let time = timed(answer(&mut stream)).await;
        times.push(time.with_context(|| format!("request {number} of a connection"))?);
    }
    Ok(times)
}

async fn with_http2(count: usize) -> anyhow::Result<Vec<Duration>> {
    let stream = TokioIo::new(connect().await?);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
    // Its end is the end of the requests, which report it.
    drop(tokio::spawn(connection));
    let mut times = Vec::new();
    for number in 0..count {
        let asked = async {
            let request = hyper::Request::get("http://elsewhere.example/small");
            let response = sender
                .send_request(request.body(Empty::<Bytes>::new())?)
                .await?;
            ensure!(response.status() == 200, "{}", response.status());
            response.into_body().collect().await?;
            Ok(())
        };
        let time = timed(asked).await;
        times.push(time.with_context(|| format!("HTTP/2 request {number}"))?);
    }
    Ok(times)
}

async fn timed(asked: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    timeout(DEADLINE, asked)
        .await
        .with_context(|| format!("no answer within {DEADLINE:?}"))??;
    Ok(begun.elapsed())
}

async fn connect() -> io::Result<TcpStream> {
    TcpStream::connect(SocketAddr::new(ELSEWHERE.v4(), 80)).await
}

/// Sends a request, and reads its answer, which ends with `done`.
async fn answer(stream: &mut TcpStream) -> anyhow::Result<()> {
    stream.write_all(REQUEST).await?;
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"done") {
        let count = stream.read_buf(&mut bytes).await?;
        ensure!(
            count > 0,
            "ended after {:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
    let head = String::from_utf8_lossy(&bytes);
    ensure!(head.starts_with("HTTP/1.1 200 "), "{head:?}");
    Ok(())
}
