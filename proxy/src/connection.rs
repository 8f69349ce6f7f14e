//! The stages of one connection: identify, read, decide, connect, report.

mod context;
mod first_speaker;
pub mod identify;
pub mod tcp;

use std::future::{Future, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use egret_config::address::{ClientAddress, LocalAddress};
use egret_config::decide;
use egret_config::decide::call::{HttpVersion, Layer, Terminated};
use egret_config::decide::verdict::{Reading, Refusal, Verdict};
use egret_config::model::tls::{Hashed, ServerTls};
use egret_config::port::Protocol;
use egret_config::snapshot::cluster::{Cluster, Discovery};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::connection::context::ConnectionContext;
use crate::connection::first_speaker::{Dialled, FirstSpeaker, first_speaker};
pub use crate::connection::identify::ListenerKind;
use crate::connection::identify::identify;
use crate::connection::tcp::{HasTcpStream, UpstreamConnection, connect_upstream};
use crate::failure::{Cause, Failure};
use crate::http::downstream::DownstreamConnection;
use crate::http::serve;
use crate::life::files::FdPermit;
use crate::proxy::Proxy;
use crate::report::metrics::detection::Detection;
use crate::report::metrics::envoy::downstream::ListenerCounters;
use crate::report::metrics::limits::Limit;
use crate::report::reporter::FactsGuard;
use crate::sniff::proxy_header::proxy_header;
use crate::sniff::read_layer;
use crate::sniff::rewind::Rewind;
use crate::sys::orig_dst::canonical;
use crate::sys::socket::reset_on_close;
use crate::tls::Alpn;

/// How long a connection of `egret-init verify` stays open. On its port server-first protocols wait as long.
const PROBE_MAX: Duration = Duration::from_secs(1);

/// What is left to do with a connection after its decision. It may last for days, so it holds no part of the configuration.
enum NextStage {
    /// Nothing, and nothing to report: the client closed before it sent a byte.
    Nothing,
    /// Bytes are relayed. With the bytes that the server sent already.
    Relay(Rewind<TcpStream>, UpstreamConnection, Vec<u8>),
    /// Bytes inside terminated TLS are relayed.
    RelayTls(Decrypted, UpstreamConnection),
    /// It carries HTTP.
    Http(Rewind<TcpStream>, HttpVersion, DownstreamConnection),
    /// It carries HTTP inside terminated TLS.
    Https(Decrypted, HttpVersion, DownstreamConnection),
}

/// A terminated TLS stream. Boxed: the session is large.
type Decrypted = Box<Rewind<TlsStream<Rewind<TcpStream>>>>;

/// Serves one accepted connection to its end. Never fails: whatever happens is reported.
pub async fn serve(
    socket: TcpStream,
    kind: ListenerKind,
    proxy: Rc<Proxy>,
    permit: FdPermit,
    listener: Arc<ListenerCounters>,
) {
    // Each stage is boxed and freed when it ends, so that an idle connection uses little memory.
    let mut facts = Box::new(proxy.reporter.begin());
    facts.downstream.listener = Some(listener);
    let rest = Box::pin(walk(socket, kind, &proxy, &mut facts)).await;
    run_stage(rest, facts, proxy, permit).await;
}

/// The failure of a connection for which there is no descriptor.
pub fn overloaded() -> Failure {
    Failure::new(
        Cause::Overloaded,
        "no descriptor is left for this connection",
    )
}

/// Refuses a connection that there is no room for. It is reset, so that its client need not wait.
pub fn refuse(socket: TcpStream, kind: ListenerKind, failure: &Failure, proxy: &Proxy) {
    let mut facts = proxy.reporter.begin();
    // Its addresses, as far as the kernel still has them.
    let _ = identify(&socket, kind, proxy.clusters.own(), &mut facts);
    facts.set_stream_failure(failure);
    facts.end();
    reset_on_close(&socket);
}

/// What is left to do once the walk is over.
fn run_stage(
    rest: Result<NextStage, Failure>,
    mut facts: Box<FactsGuard>,
    proxy: Rc<Proxy>,
    permit: FdPermit,
) -> Pin<Box<dyn Future<Output = ()>>> {
    match rest {
        Ok(NextStage::Nothing) => facts.dismiss(),
        Ok(NextStage::Relay(stream, server, greeting)) => {
            return Box::pin(relay(stream, server, greeting, facts, permit));
        }
        Ok(NextStage::RelayTls(stream, server)) => {
            return Box::pin(relay(stream, server, Vec::new(), facts, permit));
        }
        // Each request has facts of its own.
        Ok(NextStage::Http(stream, version, downstream)) => {
            facts.dismiss();
            return Box::pin(serve::serve(
                stream,
                version,
                Rc::new(downstream),
                proxy,
                permit,
            ));
        }
        Ok(NextStage::Https(stream, version, downstream)) => {
            facts.dismiss();
            return Box::pin(serve::serve(
                *stream,
                version,
                Rc::new(downstream),
                proxy,
                permit,
            ));
        }
        Err(failure) => {
            debug!(%failure, "connection failed");
            facts.set_stream_failure(&failure);
            facts.end();
        }
    }
    Box::pin(ready(()))
}

async fn relay<S>(
    stream: S,
    server: UpstreamConnection,
    greeting: Vec<u8>,
    mut facts: Box<FactsGuard>,
    permit: FdPermit,
) where
    S: AsyncRead + AsyncWrite + HasTcpStream + Unpin,
{
    let bytes = facts.opened();
    tcp::run(stream, server, &greeting, &bytes, &mut facts).await;
    facts.end();
    drop(permit);
}

async fn walk(
    socket: TcpStream,
    kind: ListenerKind,
    proxy: &Proxy,
    facts: &mut FactsGuard,
) -> Result<NextStage, Failure> {
    let arrival = identify(&socket, kind, proxy.clusters.own(), facts)?;
    if arrival.original_dst.port() == proxy.probe_port && is_probe(&socket).await {
        return Ok(NextStage::Nothing);
    }
    let snapshot = proxy.current.load();
    let mut context = ConnectionContext {
        downstream: DownstreamConnection::of(arrival),
        snapshot: &snapshot,
        proxy,
        facts,
    };
    if kind == ListenerKind::Inbound {
        let application = tcp::inbound(&mut context).await?;
        return Ok(NextStage::Relay(
            Rewind::new(socket),
            application,
            Vec::new(),
        ));
    }
    let mut stream = Rewind::new(socket);
    if snapshot.reads_proxy_headers() {
        client_in_front(&mut stream, &mut context).await?;
    }
    let mut layer = match decide::reading(&snapshot, &context.downstream.arrival) {
        Reading::Opaque => Layer::Opaque,
        Reading::Sniff { silence_max } => match read_layer(&mut stream, Some(silence_max)).await {
            Ok(Some(layer)) => layer,
            Ok(None) | Err(_) => return left(&mut context),
        },
    };
    let mut dialled = None;
    if layer == Layer::Silent {
        match first_speaker(&mut stream, &mut context).await? {
            FirstSpeaker::Server(server, greeting) => {
                proxy.shard.detected(Detection::ServerFirst);
                return Ok(NextStage::Relay(stream, server, greeting));
            }
            FirstSpeaker::Client(first, server) => (layer, dialled) = (first, server),
            FirstSpeaker::ClientClosed => {
                proxy.shard.detected(Detection::Silent);
                return Ok(NextStage::Nothing);
            }
        }
    }
    proxy.shard.detected(detection(&layer));
    // Reading may have lasted a while, so the decision uses the current configuration.
    let snapshot = proxy.current.load();
    let context = ConnectionContext {
        snapshot: &snapshot,
        ..context
    };
    dispatch(stream, &layer, dialled, context).await
}

/// What a connection carries, for the metrics.
fn detection(layer: &Layer) -> Detection {
    match layer {
        Layer::Http(HttpVersion::Http1) => Detection::Http1,
        Layer::Http(HttpVersion::Http2) => Detection::Http2,
        Layer::Tls(_) => Detection::Tls,
        Layer::Opaque => Detection::Opaque,
        Layer::Silent => Detection::Silent,
    }
}

/// Whether a connection is one of those with which `egret-init verify` and istio-iptables' validation look for the
/// redirect: its client leaves at once.
async fn is_probe(socket: &TcpStream) -> bool {
    matches!(timeout(PROBE_MAX, socket.peek(&mut [0])).await, Ok(Ok(0)))
}

/// A client closed before it sent a byte. That is reported only where every call would have been refused.
fn left(context: &mut ConnectionContext<'_>) -> Result<NextStage, Failure> {
    let decision = context.decide(&Layer::Silent, None);
    match &decision.verdict {
        Verdict::Refuse(refusal)
            if decision.trail.listener.is_none() && *refusal != Refusal::NoChain =>
        {
            context.set_decision(&Layer::Silent, &decision);
            Err(refusal.clone().into())
        }
        _ => Ok(NextStage::Nothing),
    }
}

/// Reads the PROXY header of a load balancer in front of a gateway, which names the client and the address that it
/// connected to.
async fn client_in_front(
    stream: &mut Rewind<TcpStream>,
    context: &mut ConnectionContext<'_>,
) -> Result<(), Failure> {
    let proxy = context.proxy;
    let read = timeout(proxy.client_times.handshake, proxy_header(stream)).await;
    let named = match read {
        Ok(Ok(named)) => named,
        Ok(Err(error)) => return Err(Failure::new(Cause::ProxyHeader, error.to_string())),
        Err(_) => {
            proxy.limits.count(Limit::HandshakeTime);
            return Err(Failure::new(Cause::ProxyHeader, "no PROXY header in time"));
        }
    };
    if let Some(named) = named {
        let arrival = &mut context.downstream.arrival;
        arrival.client = ClientAddress(canonical(named.client.0));
        arrival.local = LocalAddress(canonical(named.local.0));
        let facts = &mut context.facts.downstream;
        facts.remote_address = Some(arrival.client);
        facts.local_address = Some(arrival.local);
    }
    Ok(())
}

async fn dispatch(
    stream: Rewind<TcpStream>,
    layer: &Layer,
    dialled: Option<Dialled>,
    mut context: ConnectionContext<'_>,
) -> Result<NextStage, Failure> {
    let decision = context.decide(layer, None);
    context.set_decision(layer, &decision);
    let destination = decision.cluster.unwrap_or_default();
    let dialled = dialled
        .filter(|dialled| *dialled.cluster == *destination)
        .map(|dialled| dialled.server);
    match (decision.verdict, layer) {
        (Verdict::Http, layer) => {
            context.set_http();
            let downstream = DownstreamConnection {
                facts: context.facts.downstream.clone(),
                ..context.downstream
            };
            Ok(NextStage::Http(stream, http_version(layer), downstream))
        }
        (Verdict::Terminate { tls, terminated }, Layer::Tls(_)) => {
            terminate(stream, tls, terminated, context).await
        }
        (verdict, _) => {
            let server = match dialled {
                Some(server) => Ok(server),
                None => connect_upstream(verdict, sni(layer), &mut context).await,
            };
            match server {
                Ok(server) => Ok(NextStage::Relay(stream, server, Vec::new())),
                Err(failure) => {
                    if failure.reply().denies_tls && matches!(layer, Layer::Tls(_)) {
                        tcp::deny_tls(stream).await;
                    }
                    Err(failure)
                }
            }
        }
    }
}

/// A gateway terminates TLS and decides again on the decrypted bytes.
async fn terminate(
    stream: Rewind<TcpStream>,
    tls: &Hashed<ServerTls>,
    terminated: Terminated,
    mut context: ConnectionContext<'_>,
) -> Result<NextStage, Failure> {
    // Protocol TLS may carry anything. Protocol HTTPS carries HTTP, so ALPN can be offered.
    let alpn = if terminated.server.protocol == Protocol::Https {
        Alpn::Either
    } else {
        Alpn::None
    };
    let accepting = context.proxy.terminator.accept(stream, tls, alpn);
    let proxy = context.proxy;
    let accepted = timeout(proxy.client_times.handshake, accepting).await;
    let accepted = accepted.map_err(|_| {
        proxy.limits.count(Limit::HandshakeTime);
        Failure::new(
            Cause::ClientTls,
            "the client did not finish its TLS handshake",
        )
    })??;
    let facts = &mut context.facts.downstream;
    facts.handshake_end = Some(Instant::now());
    facts.tls = Some(Arc::new(accepted.facts));
    facts.requested_server_name.clone_from(&terminated.sni);
    let mut stream = Rewind::new(accepted.stream);
    // Opaque bytes have the same destination whichever side sends first. Only HTTP has to be read.
    let mut layer = Layer::Silent;
    let mut decision = context.decide(&layer, Some(&terminated));
    if let Verdict::Http = decision.verdict {
        match read_layer(&mut stream, None).await {
            Ok(Some(read)) => layer = read,
            Ok(None) | Err(_) => return Ok(NextStage::Nothing),
        }
        decision = context.decide(&layer, Some(&terminated));
    }
    context.set_decision(&layer, &decision);
    match decision.verdict {
        Verdict::Http => {
            context.set_http();
            let downstream = DownstreamConnection {
                terminated: Some(terminated),
                client_cert: accepted.forwarded,
                facts: context.facts.downstream.clone(),
                ..context.downstream
            };
            Ok(NextStage::Https(
                Box::new(stream),
                http_version(&layer),
                downstream,
            ))
        }
        verdict => {
            let inside = match &verdict {
                Verdict::Forward(cluster) if by_name_of_call(cluster) => {
                    let limit = decide::silence_max(context.snapshot);
                    read_layer(&mut stream, Some(limit)).await.ok().flatten()
                }
                _ => None,
            };
            // The SNI of the application's own TLS overrides that of the mesh's TLS around it.
            let name = inside.as_ref().and_then(sni).or(terminated.sni.as_deref());
            let server = connect_upstream(verdict, name, &mut context).await?;
            Ok(NextStage::RelayTls(Box::new(stream), server))
        }
    }
}

/// Whether the name of a call decides its destination.
fn by_name_of_call(cluster: &Cluster) -> bool {
    matches!(cluster.discovery, Discovery::PerCall { .. })
}

fn sni(layer: &Layer) -> Option<&str> {
    match layer {
        Layer::Tls(hello) => hello.sni.as_deref(),
        Layer::Http(_) | Layer::Opaque | Layer::Silent => None,
    }
}

fn http_version(layer: &Layer) -> HttpVersion {
    match layer {
        Layer::Http(version) => *version,
        // The port is HTTP whatever the bytes are. The codec reports malformed bytes.
        Layer::Tls(_) | Layer::Opaque | Layer::Silent => HttpVersion::Http1,
    }
}
