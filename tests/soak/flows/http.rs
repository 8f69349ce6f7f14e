//! Requests with bodies over HTTP/1 and HTTP/2, on connections that are kept.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::flows::{Calling, Client};

/// Lengths of bodies, in turn.
const LENGTHS: [usize; 3] = [0, 1 << 10, 40 << 10];

/// The body of a request.
fn body(number: usize) -> Bytes {
    let length = LENGTHS[number % LENGTHS.len()];
    Bytes::from(vec![b'a' + (number % 26) as u8; length])
}

/// A client with one connection for HTTP/1.1.
pub(super) struct Http1 {
    to: SocketAddr,
    host: &'static str,
    sender: Option<http1::SendRequest<Full<Bytes>>>,
    number: usize,
}

impl Http1 {
    pub(super) fn new(to: SocketAddr, host: &'static str) -> Self {
        Self {
            to,
            host,
            sender: None,
            number: 0,
        }
    }

    async fn connected(&mut self) -> anyhow::Result<http1::SendRequest<Full<Bytes>>> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let stream = TcpStream::connect(self.to).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

impl Client for Http1 {
    fn call(&mut self) -> Calling<'_> {
        Box::pin(async {
            self.number += 1;
            let sent = body(self.number);
            let request = Request::post(format!("/{}", self.number)).header(HOST, self.host);
            let request = request.body(Full::new(sent.clone()))?;
            let mut sender = self.connected().await?;
            let response = sender.send_request(request).await.context("HTTP/1")?;
            ensure!(response.status() == StatusCode::OK, "{}", response.status());
            let came = response.into_body().collect().await?.to_bytes();
            ensure!(came == sent, "another body, {} bytes", came.len());
            self.sender = Some(sender);
            Ok(())
        })
    }
}

/// A client with one connection for HTTP/2 without TLS.
pub(super) struct Http2 {
    to: SocketAddr,
    host: &'static str,
    sender: Option<http2::SendRequest<Full<Bytes>>>,
    number: usize,
}

impl Http2 {
    pub(super) fn new(to: SocketAddr, host: &'static str) -> Self {
        Self {
            to,
            host,
            sender: None,
            number: 0,
        }
    }

    async fn connected(&mut self) -> anyhow::Result<http2::SendRequest<Full<Bytes>>> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let stream = TcpStream::connect(self.to).await?;
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

impl Client for Http2 {
    fn call(&mut self) -> Calling<'_> {
        Box::pin(async {
            self.number += 1;
            let sent = body(self.number);
            let url = format!("http://{}:{}/{}", self.host, self.to.port(), self.number);
            let request = Request::post(url).body(Full::new(sent.clone()))?;
            let mut sender = self.connected().await?;
            let response = sender.send_request(request).await.context("HTTP/2")?;
            ensure!(response.status() == StatusCode::OK, "{}", response.status());
            let came = response.into_body().collect().await?.to_bytes();
            ensure!(came == sent, "another body, {} bytes", came.len());
            self.sender = Some(sender);
            Ok(())
        })
    }
}
