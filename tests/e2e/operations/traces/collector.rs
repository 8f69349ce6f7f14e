//! A collector: what it gets, read with the proxy's own messages, and one that speaks gRPC.

use std::net::{SocketAddr, TcpListener};
use std::thread;

use bytes::{Bytes, BytesMut};
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;
use hyper::HeaderMap;
use prost::Message;

#[path = "../../../../proxy/src/trace/messages.rs"]
#[allow(dead_code, unreachable_pub, reason = "the file is the proxy's")]
mod messages;

use messages::{ExportTraceServiceRequest, Span, Value};

/// What came in one request.
#[derive(Debug)]
pub(super) struct Spans {
    request: ExportTraceServiceRequest,
    /// The spans.
    pub(super) all: Vec<Span>,
}

impl Spans {
    /// Those of a message.
    pub(super) fn of(message: &[u8]) -> anyhow::Result<Self> {
        let request = ExportTraceServiceRequest::decode(message)?;
        let scopes = request
            .resource_spans
            .iter()
            .flat_map(|resource| &resource.scope_spans);
        let all = scopes.flat_map(|scope| scope.spans.clone()).collect();
        Ok(Self { request, all })
    }

    /// Those of a kind.
    pub(super) fn of_kind(&self, kind: i32) -> Vec<&Span> {
        self.all.iter().filter(|span| span.kind == kind).collect()
    }

    /// `service.name`.
    pub(super) fn service(&self) -> String {
        let resource = self.request.resource_spans[0]
            .resource
            .clone()
            .unwrap_or_default();
        let mut names = resource.attributes.into_iter();
        let name = names.find(|attribute| attribute.key == "service.name");
        match name.and_then(|attribute| attribute.value?.value) {
            Some(Value::String(name)) => name,
            None => String::new(),
        }
    }
}

/// The value of an attribute of a span.
pub(super) fn attribute<'s>(span: &'s Span, name: &str) -> Option<&'s str> {
    let mut all = span
        .attributes
        .iter()
        .filter(|attribute| attribute.key == name);
    let found = all.next()?;
    assert!(all.next().is_none(), "{name} stands twice in {span:?}");
    let Value::String(value) = found.value.as_ref()?.value.as_ref()?;
    Some(value)
}

/// A call of gRPC.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) path: String,
    pub(super) authority: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A collector that speaks gRPC and takes all.
#[derive(Debug)]
pub(super) struct GrpcCollector {
    pub(super) calls: Ledger<Call>,
}

impl GrpcCollector {
    /// Serves at an address of a host, one connection.
    pub(super) fn start(host: &Host, at: SocketAddr) -> anyhow::Result<Self> {
        let listener = host.run(move || TcpListener::bind(at))?;
        listener.set_nonblocking(true)?;
        let calls = Ledger::default();
        let ledger = calls.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::spawn(move || runtime.block_on(serve(listener, ledger)));
        Ok(Self { calls })
    }
}

async fn serve(listener: TcpListener, calls: Ledger<Call>) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (stream, _) = listener.accept().await?;
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(accepted) = connection.accept().await {
        let (request, mut respond) = accepted?;
        let calls = calls.clone();
        tokio::spawn(async move {
            let (head, mut incoming) = request.into_parts();
            let mut body = BytesMut::new();
            while let Some(data) = incoming.data().await {
                let data = data?;
                incoming.flow_control().release_capacity(data.len())?;
                body.extend_from_slice(&data);
            }
            calls.push(Call {
                path: head.uri.path().to_owned(),
                authority: head
                    .uri
                    .authority()
                    .map_or("", |authority| authority.as_str())
                    .to_owned(),
                headers: head.headers,
                body: body.freeze(),
            });
            let response = http::Response::builder().header("content-type", "application/grpc");
            let mut answer = respond.send_response(response.body(())?, false)?;
            // An empty message.
            answer.send_data(Bytes::from_static(&[0; 5]), false)?;
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse()?);
            answer.send_trailers(trailers)?;
            anyhow::Ok(())
        });
    }
    Ok(())
}
