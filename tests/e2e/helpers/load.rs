//! Clients that call without a pause until they are stopped, and count what was answered and what was not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::thread::JoinHandle;

use egret_tests::DEADLINE;
use egret_tests::netns::Host;
use tokio::time::timeout;

use crate::helpers::stage;

/// What a client does, over and over. All call elsewhere.example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// HTTP/1.1 requests on one connection, for as long as the connection lasts.
    Kept,
    /// HTTP/1.1 requests, each on a connection of its own.
    New,
    /// HTTP/2 requests on one connection, whose end counts as a loss.
    Http2,
    /// Bytes to port 7000, which greets with `hello` and echoes, on one connection, whose end counts as a loss.
    Stream,
}

/// What the clients met.
#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    answered: AtomicU64,
    lost: AtomicU64,
}

impl Tally {
    fn is_running(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Clients in a pod that call until they are stopped.
pub(crate) struct Load {
    tallies: Vec<Arc<Tally>>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(pod: &Host, to: IpAddr, clients: &[Client]) -> anyhow::Result<Self> {
        let tallies: Vec<_> = clients.iter().map(|_| Arc::<Tally>::default()).collect();
        let work: Vec<_> = clients.iter().copied().zip(tallies.clone()).collect();
        let clients = pod.run(move || -> std::io::Result<_> {
            let clients = work
                .into_iter()
                .map(|(client, tally)| thread::spawn(move || call(client, &tally, to)));
            Ok(clients.collect())
        })?;
        Ok(Self { tallies, clients })
    }

    /// Returns once each client has so many more answers.
    pub(crate) fn await_answers(&self, more: u64) -> anyhow::Result<()> {
        for tally in &self.tallies {
            let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
            let before = read(&tally.answered);
            stage::until(|| {
                anyhow::ensure!(read(&tally.lost) == 0, "a request was lost");
                thread::yield_now();
                Ok(read(&tally.answered) >= before + more)
            })?;
        }
        Ok(())
    }

    /// How many requests were answered, and how many were not.
    pub(crate) fn finish(self) -> (u64, u64) {
        for tally in &self.tallies {
            tally.stop.store(true, Ordering::Relaxed);
        }
        for client in self.clients {
            assert!(client.join().is_ok(), "a client panicked");
        }
        let sum = |number: fn(&Tally) -> &AtomicU64| {
            let each = self.tallies.iter();
            each.map(|tally| number(tally).load(Ordering::Relaxed))
                .sum()
        };
        (sum(|tally| &tally.answered), sum(|tally| &tally.lost))
    }
}

fn call(client: Client, tally: &Tally, to: IpAddr) {
    let done = match client {
        Client::Kept | Client::New => {
            requests(tally, to, client == Client::Kept);
            return;
        }
        Client::Http2 => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(anyhow::Error::from)
            .and_then(|runtime| runtime.block_on(http2(tally, to))),
        Client::Stream => stream(tally, to).map_err(anyhow::Error::from),
    };
    if done.is_err() {
        tally.lost.fetch_add(1, Ordering::Relaxed);
    }
}

fn requests(tally: &Tally, to: IpAddr, keeps: bool) {
    let mut kept = None;
    while tally.is_running() {
        match exchange(kept.take(), to, keeps) {
            Ok(next) => {
                kept = next;
                tally.answered();
            }
            Err(_) => {
                tally.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

async fn http2(tally: &Tally, to: IpAddr) -> anyhow::Result<()> {
    let stream = tokio::net::TcpStream::connect((to, 80)).await?;
    let (mut sender, connection) = h2::client::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    while tally.is_running() {
        let request = http::Request::get("http://elsewhere.example/quick").body(())?;
        let exchange = async {
            sender = sender.clone().ready().await?;
            let (response, _) = sender.send_request(request, true)?;
            let mut response = response.await?;
            anyhow::ensure!(response.status() == 200, "{}", response.status());
            while let Some(piece) = response.body_mut().data().await {
                piece?;
            }
            anyhow::Ok(())
        };
        timeout(DEADLINE, exchange).await??;
        tally.answered();
    }
    drop(sender);
    connection.abort();
    Ok(())
}

fn stream(tally: &Tally, to: IpAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((to, 7000))?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.read_exact(&mut [0; 5])?;
    let mut number: u64 = 0;
    while tally.is_running() {
        number += 1;
        stream.write_all(&number.to_be_bytes())?;
        let mut echo = [0; 8];
        stream.read_exact(&mut echo)?;
        if u64::from_be_bytes(echo) != number {
            return Err(std::io::Error::other("other bytes came back"));
        }
        tally.answered();
    }
    Ok(())
}

/// One request; gives its connection when another one may follow on it.
fn exchange(
    kept: Option<BufReader<TcpStream>>,
    to: IpAddr,
    keeps: bool,
) -> std::io::Result<Option<BufReader<TcpStream>>> {
    let mut stream = match kept {
        Some(stream) => stream,
        None => BufReader::new(TcpStream::connect((to, 80))?),
    };
    stream.get_ref().set_read_timeout(Some(DEADLINE))?;
    let close = if keeps { "" } else { "connection: close\r\n" };
    let request = format!("GET /quick HTTP/1.1\r\nhost: elsewhere.example\r\n{close}\r\n");
    stream.get_mut().write_all(request.as_bytes())?;
    let (mut length, mut last, mut line) = (0, !keeps, String::new());
    stream.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200 ") {
        return Err(std::io::Error::other(line));
    }
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let field = line.trim_end().to_ascii_lowercase();
        match field.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap_or(0),
            Some(("connection", value)) => last |= value == "close",
            Some(_) => {}
            None if field.is_empty() => break,
            None => return Err(std::io::Error::other(line)),
        }
    }
    stream.read_exact(&mut vec![0; length])?;
    Ok((!last).then_some(stream))
}
