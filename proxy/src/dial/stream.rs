//! A connection to an upstream: TCP or a Unix socket, with or without TLS or a tunnel.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::{fmt, io};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use crate::dial::post_tunnel::PostTunnel;
use crate::life::buffers;
use crate::life::buffers::HeldBytes;
use crate::own_sockets::Registered;
use crate::report::metrics::envoy::under_way::CountedConnection;

/// A connection to an upstream, encrypted or not.
#[derive(Debug)]
pub struct Stream {
    carrier: Carrier,
    /// Bytes that were received before the connection was ready; they are read first.
    early: Bytes,
    /// What reads of it fill, where it carries HTTP. Relays count their own buffers.
    held: Option<HeldBytes>,
    /// What is dropped with it, after it is closed.
    _guard: Option<Box<dyn Guard>>,
    /// The registration of the socket, where no other part of the carrier has it.
    _registered: Option<Registered>,
    /// Counts it, and its bytes.
    counted: Option<Box<CountedConnection>>,
}

/// Anything, as long as it is kept.
trait Guard: Send {}

impl<T: Send> Guard for T {}

impl fmt::Debug for dyn Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

#[derive(Debug)]
enum Carrier {
    /// As it is.
    Plain(TcpStream),
    /// Inside TLS that we originated. Boxed: the session is large, and most connections have none.
    Tls(Box<TlsStream<Socket>>),
    /// A Unix socket.
    Unix(UnixStream),
    /// Inside a POST to a proxy.
    PostTunnel(Box<PostTunnel<Stream>>),
}

impl Stream {
    /// A connection as it is.
    pub fn plain(socket: Socket) -> Self {
        match socket {
            Socket::Tcp(stream, registered) => Self {
                _registered: Some(registered),
                ..Self::new(Carrier::Plain(stream))
            },
            Socket::Unix(stream) => Self::new(Carrier::Unix(stream)),
        }
    }

    /// A connection inside TLS.
    pub fn tls(stream: TlsStream<Socket>) -> Self {
        Self::new(Carrier::Tls(Box::new(stream)))
    }

    /// A connection inside a POST on another one.
    pub fn post_tunnel(post_tunnel: PostTunnel<Self>) -> Self {
        Self::new(Carrier::PostTunnel(Box::new(post_tunnel)))
    }

    fn new(carrier: Carrier) -> Self {
        Self {
            carrier,
            early: Bytes::new(),
            held: None,
            _guard: None,
            _registered: None,
            counted: None,
        }
    }

    /// Is counted as a connection to an upstream until it is closed.
    #[must_use]
    pub fn counted(self, counted: CountedConnection) -> Self {
        Self {
            counted: Some(Box::new(counted)),
            ..self
        }
    }

    /// It carries HTTP: its bytes are counted as they are read and written.
    #[must_use]
    pub fn with_http(mut self) -> Self {
        if let Some(counted) = &self.counted {
            counted.set_http();
        }
        self.held = Some(HeldBytes::default());
        self
    }

    /// The upstream closed or reset it.
    pub fn set_closed(&self) {
        if let Some(counted) = &self.counted {
            counted.set_closed();
        }
    }

    fn count_written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let (Some(counted), Poll::Ready(written)) = (&self.counted, &written) {
            match written {
                Ok(bytes) => counted.wrote(*bytes),
                Err(_) => counted.set_closed(),
            }
        }
        written
    }

    /// Keeps `guard`, such as a connection permit of a cluster, until the connection is closed.
    #[must_use]
    pub fn guarded(self, guard: impl Send + 'static) -> Self {
        Self {
            _guard: Some(Box::new(guard)),
            ..self
        }
    }

    /// Makes these bytes the first ones to be read.
    #[must_use]
    pub fn with_early(self, early: Bytes) -> Self {
        Self { early, ..self }
    }

    /// The TCP socket below; none where there is a Unix socket.
    pub fn socket(&self) -> Option<&TcpStream> {
        match &self.carrier {
            Carrier::Plain(stream) => Some(stream),
            Carrier::Tls(stream) => match stream.get_ref().0 {
                Socket::Tcp(stream, _) => Some(stream),
                Socket::Unix(_) => None,
            },
            Carrier::Unix(_) => None,
            Carrier::PostTunnel(post_tunnel) => post_tunnel.inner().socket(),
        }
    }
}

/// Does the same to either carrier.
macro_rules! carried {
    ($stream:expr, $poll:ident($($argument:expr),*)) => {
        match &mut $stream.get_mut().carrier {
            Carrier::Plain(stream) => Pin::new(stream).$poll($($argument),*),
            Carrier::Tls(stream) => Pin::new(stream).$poll($($argument),*),
            Carrier::Unix(stream) => Pin::new(stream).$poll($($argument),*),
            Carrier::PostTunnel(stream) => Pin::new(stream).$poll($($argument),*),
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
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let max = buffers::read_max();
        let read = if room <= max {
            carried!(self.as_mut(), poll_read(context, buffer))
        } else {
            let mut part = ReadBuf::new(buffer.initialize_unfilled_to(max));
            let read = carried!(self.as_mut(), poll_read(context, &mut part));
            let count = part.filled().len();
            buffer.advance(count);
            read
        };
        if let (Some(held), Poll::Ready(Ok(()))) = (&mut self.held, &read) {
            held.note_read(buffer.filled().len() - before);
        }
        if let (Some(counted), Poll::Ready(read)) = (&self.counted, &read) {
            match read {
                Ok(()) if room > 0 => counted.read(buffer.filled().len() - before),
                Ok(()) => {}
                Err(_) => counted.set_closed(),
            }
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = carried!(self.as_mut(), poll_write(context, bytes));
        self.count_written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = carried!(self.as_mut(), poll_write_vectored(context, slices));
        self.count_written(written)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.carrier {
            Carrier::Plain(stream) => stream.is_write_vectored(),
            Carrier::Tls(stream) => stream.is_write_vectored(),
            Carrier::Unix(stream) => stream.is_write_vectored(),
            Carrier::PostTunnel(_) => false,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        carried!(self, poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        carried!(self, poll_shutdown(context))
    }
}

/// The socket of a connection.
#[derive(Debug)]
pub enum Socket {
    /// TCP, with the registration of the socket.
    Tcp(TcpStream, Registered),
    /// A Unix socket.
    Unix(UnixStream),
}

/// Does the same to either socket.
macro_rules! either {
    ($socket:expr, $poll:ident($($argument:expr),*)) => {
        match $socket.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).$poll($($argument),*),
            Self::Unix(stream) => Pin::new(stream).$poll($($argument),*),
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, poll_read(context, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_shutdown(context))
    }
}
