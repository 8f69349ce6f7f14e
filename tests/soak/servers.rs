//! The upstreams of the soak: servers that are restarted in order, as a deployment restarts them.

use std::convert::Infallible;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use egret_tests::DEADLINE;
use egret_tests::netns::Host;
use egret_tests::places::{CNN, ELSEWHERE, Located};
use egret_tests::topology::World;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio_rustls::TlsAcceptor;

/// How long a server is away while it restarts.
const AWAY: Duration = Duration::from_millis(50);

/// What a server does with a connection.
#[derive(Clone)]
enum Service {
    /// HTTP/1.1: each request's body comes back.
    Http1(Option<TlsAcceptor>),
    /// HTTP/2 without TLS: each request's body comes back, and as gRPC its trailers follow.
    Http2,
    /// WebSocket: each message comes back.
    WebSocket,
    /// Bytes come back, within TLS if that is given.
    Bytes(Option<TlsAcceptor>),
}

impl Service {
    /// Whether a proxy can repeat what a closed port refused. The others hand their listening socket to the next process.
    const fn is_repeatable(&self) -> bool {
        matches!(self, Self::Http1(_) | Self::Http2)
    }
}

/// One upstream.
struct Server {
    name: &'static str,
    address: (std::net::IpAddr, u16),
    service: Service,
    generation: Option<Generation>,
    /// The listening socket that the next generation takes over.
    kept: Option<TcpListener>,
}

/// A server between two restarts.
struct Generation {
    stop: watch::Sender<bool>,
    /// Resolves once the listening socket is closed.
    stopped: oneshot::Receiver<()>,
}

/// All upstreams.
pub(crate) struct Servers {
    runtime: Runtime,
    servers: Vec<Server>,
    next: usize,
    /// How often one was restarted.
    pub(crate) restarts: u64,
}

impl Servers {
    /// Starts all upstreams on the internet's host.
    pub(crate) fn start(world: &World) -> anyhow::Result<Self> {
        let tls = |name: &str| -> anyhow::Result<_> {
            let config: Arc<ServerConfig> = world.authority.server(&[name])?;
            Ok(Some(TlsAcceptor::from(config)))
        };
        let (here, cnn) = (ELSEWHERE.v4(), CNN.v4());
        let services = [
            ("http1", (here, 80), Service::Http1(None)),
            ("http2", (here, 82), Service::Http2),
            ("grpc", (here, 83), Service::Http2),
            ("websocket", (here, 84), Service::WebSocket),
            ("tls", (here, 443), Service::Bytes(tls(ELSEWHERE.name)?)),
            ("tcp", (here, 7000), Service::Bytes(None)),
            ("https", (cnn, 443), Service::Http1(tls(CNN.name)?)),
        ];
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .thread_name("upstreams")
            .build()?;
        let servers = services.map(|(name, address, service)| Server {
            name,
            address,
            service,
            generation: None,
            kept: None,
        });
        let mut all = Self {
            runtime,
            servers: servers.into(),
            next: 0,
            restarts: 0,
        };
        for server in &mut all.servers {
            server.open(&all.runtime, &world.internet)?;
        }
        Ok(all)
    }

    /// Restarts the next upstream in turn; gives its name.
    pub(crate) fn restart_next(&mut self, internet: &Host) -> anyhow::Result<&'static str> {
        let count = self.servers.len();
        let server = &mut self.servers[self.next % count];
        self.next += 1;
        self.restarts += 1;
        server
            .restart(&self.runtime, internet)
            .with_context(|| format!("the upstream {} does not restart", server.name))?;
        Ok(server.name)
    }
}

impl Server {
    /// Stops accepting, lets what is in flight end, and starts again.
    fn restart(&mut self, runtime: &Runtime, internet: &Host) -> anyhow::Result<()> {
        if let Some(generation) = self.generation.take() {
            generation.stop.send_replace(true);
            runtime.block_on(async {
                tokio::time::timeout(DEADLINE, generation.stopped).await??;
                tokio::time::sleep(AWAY).await;
                anyhow::Ok(())
            })?;
        }
        self.open(runtime, internet)
    }

    fn open(&mut self, runtime: &Runtime, internet: &Host) -> anyhow::Result<()> {
        let listener = match self.kept.take() {
            Some(kept) => kept,
            None => internet.listen(self.address.0, self.address.1)?,
        };
        if !self.service.is_repeatable() {
            self.kept = Some(listener.try_clone()?);
        }
        let (stop, stopping) = watch::channel(false);
        let (closed, stopped) = oneshot::channel();
        let service = self.service.clone();
        let _context = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        runtime.spawn(async move {
            accept(&listener, &service, stopping).await;
            drop(listener);
            // Nobody waits for it at the end of the program.
            let _ = closed.send(());
        });
        self.generation = Some(Generation { stop, stopped });
        Ok(())
    }
}

async fn accept(
    listener: &tokio::net::TcpListener,
    service: &Service,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.changed() => return,
        };
        let Ok((stream, _)) = accepted else { return };
        let (service, stopping) = (service.clone(), stopping.clone());
        // What goes wrong on a connection shows at the client.
        tokio::spawn(async move { service.serve(stream, stopping).await });
    }
}

impl Service {
    async fn serve(self, stream: TcpStream, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
        stream.set_nodelay(true)?;
        match self {
            Self::Http1(None) => http1(stream, stop).await,
            Self::Http1(Some(tls)) => http1(tls.accept(stream).await?, stop).await,
            Self::Http2 => http2(stream, stop).await,
            Self::WebSocket => web_socket(stream).await,
            Self::Bytes(None) => bytes(stream).await,
            Self::Bytes(Some(tls)) => bytes(tls.accept(stream).await?).await,
        }
    }
}

/// The request's body as it comes, then the trailers of gRPC if there are any. Empty frames are left out: a client may take many of
/// them for an attack.
struct Echo {
    body: Incoming,
    trailers: Option<HeaderMap>,
}

impl Body for Echo {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        loop {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
            match frame {
                Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
                Some(frame) => return Poll::Ready(Some(frame)),
                None => {
                    return Poll::Ready(self.trailers.take().map(|own| Ok(Frame::trailers(own))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.trailers.is_none() && self.body.is_end_stream()
    }
}

fn echo(request: Request<Incoming>) -> Response<Echo> {
    let kind = request.headers().get(CONTENT_TYPE).cloned();
    let kind = kind.filter(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let mut response = Response::new(Echo {
        body: request.into_body(),
        trailers: None,
    });
    if let Some(kind) = kind {
        let status = (
            HeaderName::from_static("grpc-status"),
            HeaderValue::from_static("0"),
        );
        response.body_mut().trailers = Some(HeaderMap::from_iter([status]));
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}

async fn http1<S>(stream: S, mut stop: watch::Receiver<bool>) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(async |request| Ok::<_, Infallible>(echo(request)));
    let serving =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        done = serving.as_mut() => return Ok(done?),
        _ = stop.changed() => serving.as_mut().graceful_shutdown(),
    }
    Ok(serving.await?)
}

async fn http2<S>(stream: S, mut stop: watch::Receiver<bool>) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(async |request| Ok::<_, Infallible>(echo(request)));
    let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        done = serving.as_mut() => return Ok(done?),
        _ = stop.changed() => serving.as_mut().graceful_shutdown(),
    }
    Ok(serving.await?)
}

async fn bytes<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> anyhow::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(stream.shutdown().await?);
        }
        stream.write_all(&buffer[..count]).await?;
        stream.flush().await?;
    }
}

async fn web_socket(stream: TcpStream) -> anyhow::Result<()> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    tokio::task::spawn_blocking(move || {
        let mut socket = tungstenite::accept(stream).map_err(|error| anyhow::anyhow!("{error}"))?;
        loop {
            match socket.read()? {
                message if message.is_text() || message.is_binary() => socket.send(message)?,
                message if message.is_close() => {
                    while socket.read().is_ok() {}
                    return Ok(());
                }
                _ => {}
            }
        }
    })
    .await?
}
