//! A client and a server of gRPC whose messages are plain texts.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use bytes::{Buf, BufMut};
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::codegen::{BoxFuture, Service};
use tonic::metadata::MetadataValue;
use tonic::server::StreamingService;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Response, Status, Streaming};

use crate::helpers::stage::dial;
use crate::http::grpc::in_time;

/// A kind of call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    /// One question, one answer: itself.
    Unary,
    /// One question, its words for answers.
    Split,
    /// Many questions, one answer: all of them.
    Join,
    /// Many questions, each its own answer.
    Chat,
    /// No such method.
    Unknown,
}

impl Call {
    fn path(self) -> PathAndQuery {
        PathAndQuery::from_static(match self {
            Self::Unary => "/test.Echo/Unary",
            Self::Split => "/test.Echo/Split",
            Self::Join => "/test.Echo/Join",
            Self::Chat => "/test.Echo/Chat",
            Self::Unknown => "/test.Echo/Unknown",
        })
    }
}

/// A client on one connection.
#[derive(Debug)]
pub(super) struct Client {
    grpc: tonic::client::Grpc<Channel>,
    header: Option<(&'static str, String)>,
    /// How long each call may take.
    pub(super) deadline: Option<Duration>,
}

impl Client {
    /// Connects from a host; `name` is the authority of all calls.
    pub(super) async fn connect(
        host: &Host,
        to: IpAddr,
        port: u16,
        name: &str,
    ) -> anyhow::Result<Self> {
        let connector = Connector(Some(dial(host, to, port)?));
        let endpoint = Endpoint::from_shared(format!("http://{name}:{port}"))?;
        let channel = endpoint.connect_with_connector(connector).await?;
        Ok(Self {
            grpc: tonic::client::Grpc::new(channel).max_decoding_message_size(16 << 20),
            header: None,
            deadline: None,
        })
    }

    /// The same client, with a header in each call.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.header = Some((name, value.to_owned()));
        self
    }

    /// Asks all at once; gives all answers.
    pub(super) async fn call(
        &mut self,
        call: Call,
        questions: &[&str],
    ) -> Result<Vec<String>, Status> {
        let questions: Vec<String> = questions.iter().map(|&text| text.to_owned()).collect();
        let stream = tonic::codegen::tokio_stream::iter(questions);
        let request = self.request(stream)?;
        in_time(async {
            self.ready().await?;
            if let Call::Unary = call {
                let answer = self
                    .grpc
                    .client_streaming(request, call.path(), Texts)
                    .await?;
                return Ok(vec![answer.into_inner()]);
            }
            let mut answers = self
                .grpc
                .streaming(request, call.path(), Texts)
                .await?
                .into_inner();
            let mut all = Vec::new();
            while let Some(answer) = answers.message().await? {
                all.push(answer);
            }
            Ok(all)
        })
        .await?
    }

    /// Asks one after the other, each once the answer to the one before has come.
    pub(super) async fn chat(&mut self, questions: &[&str]) -> Result<(), Status> {
        self.chat_until(questions, || {}).await
    }

    /// As [`Self::chat`]; does `then` before the last word.
    pub(super) async fn chat_until(
        &mut self,
        questions: &[&str],
        then: impl FnOnce(),
    ) -> Result<(), Status> {
        let (ask, asked) = mpsc::unbounded_channel();
        let request = self.request(UnboundedReceiverStream::new(asked))?;
        in_time(async {
            self.ready().await?;
            let answering = self.grpc.streaming(request, Call::Chat.path(), Texts);
            let mut answers = answering.await?.into_inner();
            for question in questions {
                ask.send((*question).to_owned())
                    .map_err(|_| Status::internal("the call is over"))?;
                assert_eq!(answers.message().await?.as_deref(), Some(*question));
            }
            then();
            drop(ask);
            assert_eq!(answers.message().await?, None);
            Ok(())
        })
        .await?
    }

    fn request<T>(&self, message: T) -> Result<Request<T>, Status> {
        let mut request = Request::new(message);
        if let Some((name, value)) = &self.header {
            let value = MetadataValue::try_from(value)
                .map_err(|error| Status::internal(error.to_string()))?;
            request.metadata_mut().insert(*name, value);
        }
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline);
        }
        Ok(request)
    }

    async fn ready(&mut self) -> Result<(), Status> {
        let ready = self.grpc.ready().await;
        ready.map_err(|error| Status::internal(error.to_string()))
    }
}

/// Gives the one connection that was made beforehand.
#[derive(Debug)]
struct Connector(Option<TcpStream>);

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = std::io::Error;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let stream = self.0.take().map(TokioIo::new);
        std::future::ready(stream.ok_or_else(|| std::io::Error::other("one connection only")))
    }
}

/// A running server.
#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    /// Who connected.
    pub(super) connections: Ledger<SocketAddr>,
    /// What each call said of its time.
    pub(super) timeouts: Ledger<Option<String>>,
    /// Calls whose caller did not wait for the answer.
    pub(super) taken_back: Ledger<String>,
}

impl Server {
    /// Serves at an address of a host, over TLS where it is given.
    pub(super) fn start(
        runtime: &Runtime,
        host: &Host,
        address: IpAddr,
        port: u16,
        tls: Option<ServerConfig>,
    ) -> anyhow::Result<Self> {
        let server = Self::default();
        let listener = host.listen(address, port)?;
        let _context = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let tls = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
        let serving = server.clone();
        runtime.spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                serving.connections.push(peer);
                let (server, tls) = (serving.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => server.serve(stream).await,
                        Some(tls) => server.serve(tls.accept(stream).await?).await,
                    }
                });
            }
        });
        Ok(server)
    }

    async fn serve<S>(self, stream: S) -> anyhow::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |request: http::Request<Incoming>| {
            let server = self.clone();
            async move {
                let timeout = request.headers().get("grpc-timeout");
                let timeout = timeout.and_then(|value| value.to_str().ok());
                server.timeouts.push(timeout.map(str::to_owned));
                let path = request.uri().path().to_owned();
                let method = Method { path, server };
                let mut grpc = tonic::server::Grpc::new(Texts).max_decoding_message_size(16 << 20);
                Ok::<_, std::convert::Infallible>(grpc.streaming(method, request).await)
            }
        });
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await
            .context("serving ended")
    }
}

/// One call at the server.
#[derive(Debug)]
struct Method {
    path: String,
    server: Server,
}

type Answers = UnboundedReceiverStream<Result<String, Status>>;

impl StreamingService<String> for Method {
    type Response = String;
    type ResponseStream = Answers;
    type Future = BoxFuture<Response<Answers>, Status>;

    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        let (path, server) = (self.path.clone(), self.server.clone());
        Box::pin(async move {
            let mut questions = request.into_inner();
            let (answer, answers) = mpsc::unbounded_channel();
            let answers = Response::new(UnboundedReceiverStream::new(answers));
            match path.as_str() {
                "/test.Echo/Unary" => {
                    let question = questions.message().await?.unwrap_or_default();
                    if question == "fail" {
                        return Err(as_asked());
                    }
                    if question == "wait" {
                        let _taken_back = TakenBack(path, server);
                        std::future::pending::<()>().await;
                    }
                    let _ = answer.send(Ok(question));
                }
                "/test.Echo/Split" => {
                    let question = questions.message().await?.unwrap_or_default();
                    for word in question.split(' ') {
                        let word = match word {
                            "fail" => Err(as_asked()),
                            word => Ok(word.to_owned()),
                        };
                        let _ = answer.send(word);
                    }
                }
                "/test.Echo/Join" => {
                    let mut all = Vec::new();
                    while let Some(question) = questions.message().await? {
                        if question == "wait" {
                            std::future::pending::<()>().await;
                        }
                        all.push(question);
                    }
                    let _ = answer.send(Ok(all.join(" ")));
                }
                "/test.Echo/Chat" => {
                    tokio::spawn(async move {
                        while let Ok(Some(question)) = questions.message().await {
                            if question == "wait" {
                                std::future::pending::<()>().await;
                            }
                            let _ = answer.send(Ok(question));
                        }
                    });
                }
                _ => return Err(Status::unimplemented("no such method")),
            }
            Ok(answers)
        })
    }
}

fn as_asked() -> Status {
    let mut status = Status::failed_precondition("as asked: 100 % ü");
    status
        .metadata_mut()
        .insert("x-why", MetadataValue::from_static("asked"));
    status
}

/// Tells when a call ends unanswered.
struct TakenBack(String, Server);

impl Drop for TakenBack {
    fn drop(&mut self) {
        self.1.taken_back.push(std::mem::take(&mut self.0));
    }
}

/// Messages that are texts as they are.
#[derive(Clone, Copy, Debug)]
struct Texts;

impl Codec for Texts {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Texts {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, item: String, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(item.as_bytes());
        Ok(())
    }
}

impl Decoder for Texts {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        let text = String::from_utf8(bytes.into());
        Ok(Some(
            text.map_err(|error| Status::internal(error.to_string()))?,
        ))
    }
}
