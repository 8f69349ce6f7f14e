//! The sockets of hickory's resolver. A datagram that is not the response to the query of its socket is dropped here,
//! and hickory keeps waiting. A closed port fails at once, since the sockets are connected.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use hickory_resolver::net::runtime::{
    DnsUdpSocket, RuntimeProvider, TokioHandle, TokioRuntimeProvider, TokioTime,
};
use tokio::net::UdpSocket;

use crate::dns::datagram;

/// Tokio's runtime, with sockets for datagrams that verify what they receive.
#[derive(Clone, Default)]
pub(super) struct Verified(TokioRuntimeProvider);

impl RuntimeProvider for Verified {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = VerifiedSocket;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> Self::Handle {
        self.0.create_handle()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        local: Option<SocketAddr>,
        timeout: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Tcp>>>> {
        self.0.connect_tcp(server, local, timeout)
    }

    fn bind_udp(
        &self,
        local: SocketAddr,
        server: SocketAddr,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Udp>>>> {
        Box::pin(async move {
            let socket = UdpSocket::bind(local).await?;
            // The kernel drops what comes from other addresses or ports.
            socket.connect(server).await?;
            Ok(VerifiedSocket {
                socket,
                server,
                question: OnceLock::new(),
            })
        })
    }
}

/// A socket for one question.
#[derive(Debug)]
pub(super) struct VerifiedSocket {
    socket: UdpSocket,
    server: SocketAddr,
    /// The message that was sent.
    question: OnceLock<Box<[u8]>>,
}

impl DnsUdpSocket for VerifiedSocket {
    type Time = TokioTime;

    // What `#[async_trait]` makes of `async fn recv_from`.
    fn recv_from<'a, 'b, 'c>(
        &'a self,
        buffer: &'b mut [u8],
    ) -> Pin<Box<dyn Future<Output = io::Result<(usize, SocketAddr)>> + Send + 'c>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            let question = self.question.get().map_or(&[][..], |question| question);
            let length = datagram::receive(&self.socket, question, |response| {
                let length = response.len().min(buffer.len());
                buffer[..length].copy_from_slice(&response[..length]);
                length
            })
            .await?;
            Ok((length, self.server))
        })
    }

    /// Hickory receives by `recv_from` alone.
    fn poll_recv_from(
        &self,
        _context: &mut Context<'_>,
        _buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_send_to(
        &self,
        context: &mut Context<'_>,
        message: &[u8],
        _server: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.question.get_or_init(|| message.into());
        self.socket.poll_send(context, message)
    }
}
