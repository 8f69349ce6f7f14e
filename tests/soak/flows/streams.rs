//! Streams: one call is one connection, with bytes or messages that come back.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::ensure;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tungstenite::Message;

use crate::flows::{Calling, Client};

/// How often bytes go there and back on one connection.
const TURNS: u8 = 4;

/// How many bytes each time.
const LENGTH: usize = 8 << 10;

/// A client of bytes, within TLS that passes through or without.
pub(super) struct Bytes {
    to: SocketAddr,
    tls: Option<(TlsConnector, &'static str)>,
}

impl Bytes {
    pub(super) fn plain(to: SocketAddr) -> Self {
        Self { to, tls: None }
    }

    pub(super) fn tls(to: SocketAddr, host: &'static str, tls: &Arc<ClientConfig>) -> Self {
        let tls = TlsConnector::from(Arc::clone(tls));
        Self {
            to,
            tls: Some((tls, host)),
        }
    }
}

impl Client for Bytes {
    fn call(&mut self) -> Calling<'_> {
        Box::pin(async {
            let stream = TcpStream::connect(self.to).await?;
            match &self.tls {
                None => converse(stream).await,
                Some((tls, host)) => {
                    let name = ServerName::try_from(*host)?;
                    converse(tls.connect(name, stream).await?).await
                }
            }
        })
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> anyhow::Result<()> {
    let mut came = vec![0; LENGTH];
    for turn in 0..TURNS {
        let sent = vec![turn; LENGTH];
        stream.write_all(&sent).await?;
        stream.flush().await?;
        stream.read_exact(&mut came).await?;
        ensure!(came == sent, "other bytes in turn {turn}");
    }
    stream.shutdown().await?;
    let more = stream.read(&mut came).await?;
    ensure!(more == 0, "{more} bytes too many");
    Ok(())
}

/// A client of WebSockets.
pub(super) struct WebSocket {
    to: SocketAddr,
    host: &'static str,
}

impl WebSocket {
    pub(super) fn new(to: SocketAddr, host: &'static str) -> Self {
        Self { to, host }
    }
}

impl Client for WebSocket {
    fn call(&mut self) -> Calling<'_> {
        let (to, url) = (self.to, format!("ws://{}:{}/", self.host, self.to.port()));
        Box::pin(async move { tokio::task::spawn_blocking(move || chat(to, &url)).await? })
    }
}

fn chat(to: SocketAddr, url: &str) -> anyhow::Result<()> {
    let stream = std::net::TcpStream::connect(to)?;
    stream.set_read_timeout(Some(super::LIMIT))?;
    let (mut socket, _) =
        tungstenite::client(url, stream).map_err(|error| anyhow::anyhow!("{error}"))?;
    for turn in 0..TURNS {
        let message = Message::binary(vec![turn; LENGTH]);
        socket.send(message.clone())?;
        ensure!(socket.read()? == message, "another message in turn {turn}");
    }
    socket.close(None)?;
    loop {
        match socket.read() {
            Ok(_) => {}
            Err(tungstenite::Error::ConnectionClosed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
