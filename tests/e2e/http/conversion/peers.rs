//! Origins and a client that say what only one version of HTTP can, and tell what came.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use bytes::Bytes;
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;
use egret_tests::places::{ELSEWHERE, Located};
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::runtime::Runtime;

use crate::helpers::stage::dial;

/// What an origin saw of a request, in either version.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) trailers: Vec<(String, String)>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter().filter(|header| header.0 == name);
        let first = all.next()?;
        assert!(all.next().is_none(), "{name} is there once: {self:?}");
        Some(&first.1)
    }
}

pub(super) fn listed(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value)
        })
        .collect()
}

pub(super) fn trailer(name: &str, value: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), value.to_owned())]
}

/// Reads lines up to an empty one.
pub(super) fn fields(reader: &mut impl BufRead) -> anyhow::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let mut line = String::new();
        anyhow::ensure!(reader.read_line(&mut line)? > 0, "the message breaks off");
        let Some((name, value)) = line.trim_end().split_once(':') else {
            if line.trim_end().is_empty() {
                return Ok(fields);
            }
            continue;
        };
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// Reads a message of HTTP/1: what it says, with its first line as a header without a name.
pub(super) fn message(reader: &mut impl BufRead) -> anyhow::Result<Seen> {
    let mut first = String::new();
    anyhow::ensure!(reader.read_line(&mut first)? > 0, "no message");
    let mut seen = Seen {
        headers: fields(reader)?,
        ..Seen::default()
    };
    if seen.header("transfer-encoding") == Some("chunked") {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim_end(), 16)?;
            if size == 0 {
                seen.trailers = fields(reader)?;
                break;
            }
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk)?;
            seen.body += std::str::from_utf8(&chunk[..size])?;
        }
    } else if let Some(length) = seen.header("content-length") {
        let mut body = vec![0; length.parse()?];
        reader.read_exact(&mut body)?;
        seen.body = String::from_utf8(body)?;
    }
    seen.headers
        .push((String::new(), first.trim_end().to_owned()));
    Ok(seen)
}

/// An origin of HTTP/1 that gives this answer to all requests.
pub(super) fn http1(listener: TcpListener, answer: &'static str) -> anyhow::Result<Ledger<Seen>> {
    listener.set_nonblocking(false)?;
    let requests = Ledger::default();
    let told = requests.clone();
    thread::spawn(move || -> anyhow::Result<()> {
        for stream in listener.incoming() {
            let (mut stream, told) = (stream?, told.clone());
            thread::spawn(move || -> anyhow::Result<()> {
                let mut reader = BufReader::new(stream.try_clone()?);
                loop {
                    told.push(message(&mut reader)?);
                    stream.write_all(answer.as_bytes())?;
                }
            });
        }
        Ok(())
    });
    Ok(requests)
}

/// An origin of HTTP/2 that announces, answers and adds trailers.
pub(super) fn http2(runtime: &Runtime, listener: TcpListener) -> anyhow::Result<Ledger<Seen>> {
    let requests = Ledger::default();
    let told = requests.clone();
    let _context = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let told = told.clone();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await?;
                while let Some(call) = connection.accept().await {
                    let (request, respond) = call?;
                    tokio::spawn(serve_http2(request, respond, told.clone()));
                }
                Ok::<_, h2::Error>(())
            });
        }
    });
    Ok(requests)
}

pub(super) async fn serve_http2(
    request: Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    told: Ledger<Seen>,
) -> anyhow::Result<()> {
    let (head, mut body) = request.into_parts();
    let (text, trailers) = whole(&mut body).await?;
    told.push(Seen {
        headers: listed(&head.headers),
        body: text,
        trailers,
    });
    let mut hints = Response::new(());
    *hints.status_mut() = StatusCode::EARLY_HINTS;
    respond.send_informational(hints)?;
    let answer = Response::builder().header("trailer", "x-sum").body(())?;
    let mut stream = respond.send_response(answer, false)?;
    stream.send_data(Bytes::from_static(b"answer"), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "6".parse()?);
    stream.send_trailers(trailers)?;
    Ok(())
}

pub(super) async fn whole(
    body: &mut h2::RecvStream,
) -> anyhow::Result<(String, Vec<(String, String)>)> {
    let mut text = String::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        text += std::str::from_utf8(&piece)?;
    }
    let trailers = body.trailers().await?;
    Ok((text, trailers.as_ref().map(listed).unwrap_or_default()))
}

/// What a client of HTTP/2 got.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) interim: Vec<u16>,
    pub(super) body: String,
    pub(super) trailers: Vec<(String, String)>,
}

/// Sends a request with a body in pieces, and its trailers, in HTTP/2.
pub(super) async fn ask_http2(
    pod: &Host,
    port: u16,
    headers: &[(&str, &str)],
    pieces: &[&'static str],
    trailers: Option<(&'static str, &'static str)>,
) -> anyhow::Result<Got> {
    let stream = dial(pod, ELSEWHERE.v4(), port)?;
    let (sender, connection) = h2::client::handshake(stream).await?;
    tokio::spawn(connection);
    let mut request = Request::put("http://elsewhere.example/thing");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut response, mut body) = sender
        .ready()
        .await?
        .send_request(request.body(())?, false)?;
    for piece in pieces {
        body.send_data(Bytes::from_static(piece.as_bytes()), false)?;
    }
    match trailers {
        None => body.send_data(Bytes::new(), true)?,
        Some((name, value)) => {
            let mut map = HeaderMap::new();
            map.insert(name, value.parse()?);
            body.send_trailers(map)?;
        }
    }
    let mut interim = Vec::new();
    while let Some(early) =
        std::future::poll_fn(|context| response.poll_informational(context)).await
    {
        interim.push(early?.status().as_u16());
    }
    let response = response.await?;
    let status = response.status().as_u16();
    let (body, trailers) = whole(&mut response.into_body()).await?;
    Ok(Got {
        status,
        interim,
        body,
        trailers,
    })
}
