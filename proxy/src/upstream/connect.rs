//! Connections to upstreams: TCP within a time limit, trying the other addresses of a name when one does not answer.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use egret_config::model::policy;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::sys::socket;
use crate::upstream::limits::Permit;

/// How long one address may stay silent before the next is tried beside it (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);

/// What a connection is to be like.
#[derive(Clone, Copy, Debug)]
pub struct Dial<'d> {
    /// Our address, where it matters.
    pub from: Option<IpAddr>,
    /// How long connecting may take, all addresses together.
    pub limit: Duration,
    /// Keepalive of the connection; `None` for none.
    pub keepalive: Option<&'d policy::Keepalive>,
}

/// A connection just made.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub stream: TcpStream,
    /// The address that answered.
    pub address: SocketAddr,
    /// Our address on it.
    pub local: SocketAddr,
}

/// Connects to the first of `addresses` that answers; they are tried in order, each with a head start on the next.
///
/// # Errors
/// [`Cause::Connect`] with the last address's refusal, or [`Cause::ConnectTimeout`].
pub async fn connect(addresses: &[SocketAddr], dial: Dial<'_>) -> Result<Connected, Failure> {
    let outcome = match addresses {
        [only] => timeout(dial.limit, one(*only, dial.from)).await,
        several => timeout(dial.limit, race(several, dial.from)).await,
    };
    let first = addresses
        .first()
        .map_or_else(String::new, ToString::to_string);
    let (stream, address) = match outcome {
        Ok(Ok(connected)) => connected,
        Ok(Err((address, error))) => return Err(refused(address, &error)),
        Err(_) => {
            return Err(Failure::new(
                Cause::ConnectTimeout,
                format!(
                    "{first} did not accept the connection within {:?}",
                    dial.limit
                ),
            ));
        }
    };
    let local = stream
        .local_addr()
        .map_err(|error| refused(address, &error))?;
    if let Some(keepalive) = dial.keepalive {
        let keepalive = socket::Keepalive {
            time: keepalive.time,
            interval: keepalive.interval,
            probes: keepalive.probes,
        };
        // A peer that is gone already shows at the first write.
        let _ = socket::set_keepalive(&stream, &keepalive);
    }
    Ok(Connected {
        stream,
        address,
        local,
    })
}

async fn one(
    address: SocketAddr,
    from: Option<IpAddr>,
) -> Result<(TcpStream, SocketAddr), (SocketAddr, io::Error)> {
    let connecting = async { socket::outgoing(address, from)?.connect(address).await };
    match connecting.await {
        Ok(stream) => Ok((stream, address)),
        Err(error) => Err((address, error)),
    }
}

async fn race(
    addresses: &[SocketAddr],
    from: Option<IpAddr>,
) -> Result<(TcpStream, SocketAddr), (SocketAddr, io::Error)> {
    let mut waiting = addresses.iter();
    let mut running = FuturesUnordered::new();
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let mut last = (nowhere, io::Error::from(io::ErrorKind::AddrNotAvailable));
    loop {
        if let Some(next) = waiting.next() {
            running.push(one(*next, from));
        }
        let finished = if waiting.len() == 0 {
            running.next().await
        } else {
            match timeout(HEAD_START, running.next()).await {
                Ok(finished) => finished,
                Err(_) => continue,
            }
        };
        match finished {
            Some(Ok(connected)) => return Ok(connected),
            Some(Err(error)) => last = error,
            None => return Err(last),
        }
    }
}

fn refused(address: SocketAddr, error: &io::Error) -> Failure {
    let words = format!("cannot connect to {address}: {error}");
    Failure::new(Cause::Connect(error.to_string().into()), words)
}

/// A connection to an upstream, encrypted or not.
#[derive(Debug)]
pub struct Stream {
    carrier: Carrier,
    /// What came before the connection was known to be ready; read first.
    early: Bytes,
    /// Its place among the connections that the cluster may have.
    _permit: Permit,
}

#[derive(Debug)]
enum Carrier {
    /// As it is.
    Plain(TcpStream),
    /// Inside TLS that we originated. Boxed: the session is large, and most connections have none.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// A connection as it is.
    pub fn plain(stream: TcpStream, permit: Permit) -> Self {
        Self::new(Carrier::Plain(stream), permit)
    }

    /// A connection inside TLS.
    pub fn tls(stream: TlsStream<TcpStream>, permit: Permit) -> Self {
        Self::new(Carrier::Tls(Box::new(stream)), permit)
    }

    fn new(carrier: Carrier, permit: Permit) -> Self {
        Self {
            carrier,
            early: Bytes::new(),
            _permit: permit,
        }
    }

    /// Gives these bytes to be read first.
    #[must_use]
    pub fn with_early(self, early: Bytes) -> Self {
        Self { early, ..self }
    }

    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        match &self.carrier {
            Carrier::Plain(stream) => stream,
            Carrier::Tls(stream) => stream.get_ref().0,
        }
    }
}

/// Does the same to either carrier.
macro_rules! carried {
    ($stream:expr, $poll:ident($($argument:expr),*)) => {
        match &mut $stream.get_mut().carrier {
            Carrier::Plain(stream) => Pin::new(stream).$poll($($argument),*),
            Carrier::Tls(stream) => Pin::new(stream).$poll($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let count = self.early.len().min(buffer.remaining());
            buffer.put_slice(&self.early.split_to(count));
            return Poll::Ready(Ok(()));
        }
        carried!(self, poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        carried!(self, poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        carried!(self, poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.carrier {
            Carrier::Plain(stream) => stream.is_write_vectored(),
            Carrier::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        carried!(self, poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        carried!(self, poll_shutdown(context))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const DIAL: Dial<'_> = Dial {
        from: None,
        limit: Duration::from_secs(5),
        keepalive: None,
    };

    /// An address of this machine where nobody listens.
    async fn nobody() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        listener.local_addr().expect("address")
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let (good, bad) = (listener.local_addr().expect("address"), nobody().await);
        let connected = connect(&[bad, good], DIAL).await.expect("connected");
        assert_eq!(connected.address, good);
        assert!(connected.stream.nodelay().expect("nodelay"));
    }

    #[tokio::test]
    async fn a_refusal_names_the_address() {
        for addresses in [&[nobody().await][..], &[nobody().await, nobody().await]] {
            let failure = connect(addresses, DIAL).await.expect_err("refused");
            assert!(matches!(failure.cause(), Cause::Connect(_)), "{failure:?}");
            let last = addresses.last().expect("one").to_string();
            assert!(failure.to_string().contains(&last), "{failure}");
        }
        assert!(matches!(
            connect(&[], DIAL).await.expect_err("none").cause(),
            Cause::Connect(_)
        ));
    }
}
