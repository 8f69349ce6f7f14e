//! Origins on the internet and applications in pods: HTTP and HTTPS servers whose answers are closures, and
//! which remember who called.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::HOST;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::ledger::Ledger;

/// The body of an answer.
pub type AnswerBody = BoxBody<Bytes, Infallible>;

/// An answer that may take its time.
pub type Answering = Pin<Box<dyn Future<Output = Response<AnswerBody>> + Send>>;

/// What an origin answers to a request, given all of it.
pub type Answer = Arc<dyn Fn(Seen) -> Answering + Send + Sync>;

/// A request as the origin saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Who connected.
    pub peer: SocketAddr,
    /// The address the caller connected to.
    pub local: SocketAddr,
    /// The server name of the TLS handshake; `None` for plaintext or without one.
    pub sni: Option<String>,
    /// The method.
    pub method: String,
    /// The request target as it came: path and query.
    pub target: String,
    /// The Host header, empty when there was none.
    pub host: String,
    /// All header fields.
    pub headers: HeaderMap,
    /// The whole request body.
    pub body: Bytes,
}

/// A running server. It stops with the world's runtime.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The requests, in order of arrival, written before they are answered.
    pub requests: Ledger<Seen>,
    /// Who connected, also when no request followed.
    pub connections: Ledger<SocketAddr>,
    /// Why TLS handshakes failed.
    pub refusals: Ledger<String>,
}

impl Origin {
    /// Serves HTTP/1.1 on `listeners`, over TLS when `tls` is given.
    ///
    /// # Errors
    /// When a listener cannot be registered with the runtime.
    pub fn serve(
        runtime: &Handle,
        listeners: Vec<TcpListener>,
        tls: Option<Arc<ServerConfig>>,
        answer: &Answer,
    ) -> io::Result<Self> {
        let origin = Self::default();
        for listener in listeners {
            let (origin, answer, tls) = (
                origin.clone(),
                Arc::clone(answer),
                tls.clone().map(TlsAcceptor::from),
            );
            each_connection(runtime, listener, move |stream, peer| {
                origin.connections.push(peer);
                connection(
                    origin.clone(),
                    Arc::clone(&answer),
                    tls.clone(),
                    stream,
                    peer,
                )
            })?;
        }
        Ok(origin)
    }

    /// Serves bytes without a protocol on `listeners`: `greeting` first, then everything comes back as it was sent.
    ///
    /// # Errors
    /// When a listener cannot be registered with the runtime.
    pub fn echo(
        runtime: &Handle,
        listeners: Vec<TcpListener>,
        greeting: &'static [u8],
    ) -> io::Result<Self> {
        let origin = Self::default();
        for listener in listeners {
            let origin = origin.clone();
            each_connection(runtime, listener, move |mut stream, peer| {
                origin.connections.push(peer);
                async move {
                    stream.write_all(greeting).await?;
                    let mut buffer = vec![0; 16 * 1024];
                    loop {
                        let count = stream.read(&mut buffer).await?;
                        if count == 0 {
                            return stream.shutdown().await;
                        }
                        stream.write_all(&buffer[..count]).await?;
                    }
                }
            })?;
        }
        Ok(origin)
    }

    /// The one request that came so far.
    ///
    /// # Errors
    /// When there were none or several.
    pub fn only_request(&self) -> anyhow::Result<Seen> {
        let mut all = self.requests.all();
        anyhow::ensure!(
            all.len() == 1,
            "the origin saw {} requests, not one: {all:#?}",
            all.len()
        );
        Ok(all.remove(0))
    }
}

/// An answer that is ready at once.
pub fn at_once(answer: impl Fn(&Seen) -> Response<AnswerBody> + Send + Sync + 'static) -> Answer {
    Arc::new(move |seen| {
        let response = answer(&seen);
        Box::pin(async move { response })
    })
}

/// A response with a status and a text.
#[must_use]
pub fn text(status: StatusCode, body: &str) -> Response<AnswerBody> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_owned())).boxed());
    *response.status_mut() = status;
    response
}

/// A `301 Moved Permanently` to `location`.
#[must_use]
pub fn moved(location: &str) -> Response<AnswerBody> {
    let mut response = text(StatusCode::MOVED_PERMANENTLY, "");
    let value = location.parse().expect("a location is a header value");
    response
        .headers_mut()
        .insert(hyper::header::LOCATION, value);
    response
}

/// The part of httpbin that stories use: `/headers`, `/get` (with `origin`, the caller), `/status/N`.
#[must_use]
pub fn httpbin() -> Answer {
    at_once(|seen| {
        let headers: serde_json::Map<_, _> = seen
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into(),
                )
            })
            .collect();
        let json = match seen.target.as_str() {
            "/headers" => serde_json::json!({ "headers": headers }),
            "/get" => {
                serde_json::json!({ "headers": headers, "origin": seen.peer.ip().to_string(), "url": format!("http://{}/get", seen.host) })
            }
            target => {
                let status = target
                    .strip_prefix("/status/")
                    .and_then(|code| code.parse().ok())
                    .unwrap_or(StatusCode::NOT_FOUND);
                return text(status, "");
            }
        };
        let mut response = text(StatusCode::OK, &format!("{json:#}\n"));
        response.headers_mut().insert(
            hyper::header::CONTENT_TYPE,
            hyper::header::HeaderValue::from_static("application/json"),
        );
        response
    })
}

/// A body whose pieces the test sends one by one; it ends when the sender is dropped.
#[must_use]
pub fn streamed() -> (mpsc::UnboundedSender<Bytes>, AnswerBody) {
    let (sender, pieces) = mpsc::unbounded_channel();
    (sender, Pieces(pieces).boxed())
}

struct Pieces(mpsc::UnboundedReceiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

fn each_connection<F>(
    runtime: &Handle,
    listener: TcpListener,
    serve: impl Fn(TcpStream, SocketAddr) -> F + Send + 'static,
) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let _context = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    runtime.spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            // A caller that goes away is the caller's business.
            tokio::spawn(serve(stream, peer));
        }
    });
    Ok(())
}

/// What is known of a connection before its requests.
#[derive(Clone)]
struct Caller {
    peer: SocketAddr,
    local: SocketAddr,
    sni: Option<String>,
}

async fn connection(
    origin: Origin,
    answer: Answer,
    tls: Option<TlsAcceptor>,
    stream: TcpStream,
    peer: SocketAddr,
) -> io::Result<()> {
    let local = stream.local_addr()?;
    let Some(acceptor) = tls else {
        let caller = Caller {
            peer,
            local,
            sni: None,
        };
        return requests(origin, answer, stream, caller).await;
    };
    match acceptor.accept(stream).await {
        Ok(stream) => {
            let sni = stream.get_ref().1.server_name().map(str::to_owned);
            let caller = Caller { peer, local, sni };
            requests(origin, answer, stream, caller).await
        }
        Err(error) => {
            origin.refusals.push(error.to_string());
            Err(error)
        }
    }
}

async fn requests<S>(origin: Origin, answer: Answer, stream: S, caller: Caller) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let (origin, answer) = (origin.clone(), Arc::clone(&answer));
        let Caller { peer, local, sni } = caller.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let seen = Seen {
                peer,
                local,
                sni,
                method: head.method.to_string(),
                target: head.uri.to_string(),
                host: head
                    .headers
                    .get(HOST)
                    .map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned())
                    .unwrap_or_default(),
                headers: head.headers,
                body,
            };
            origin.requests.push(seen.clone());
            Ok::<_, hyper::Error>(answer(seen).await)
        }
    });
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await
        .map_err(io::Error::other)
}
