//! The walk of one connection: identify, read, decide, act, report.

mod first_speaker;

use std::future::Future;
use std::future::ready;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use egret_config::decide;
use egret_config::decide::call::Arrival;
use egret_config::decide::call::ClientHello;
use egret_config::decide::call::Connection;
use egret_config::decide::call::HttpVersion;
use egret_config::decide::call::Layer;
use egret_config::decide::call::Terminated;
use egret_config::decide::verdict::ConnectionDecision;
use egret_config::decide::verdict::Reading;
use egret_config::decide::verdict::Refusal;
use egret_config::decide::verdict::Verdict;
use egret_config::model::tls::Hashed;
use egret_config::model::tls::ServerTls;
use egret_config::port::Protocol;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::Cluster;
use egret_config::snapshot::cluster::Discovery;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::connection::first_speaker::Dialled;
use crate::connection::first_speaker::FirstSpeaker;
use crate::connection::first_speaker::first_speaker;
use crate::failure::Cause;
use crate::failure::Failure;
use crate::http::caller::Caller;
use crate::http::serve;
pub use crate::identify::Entrance;
use crate::identify::identify;
use crate::life::files::Held;
use crate::proxy::Proxy;
use crate::report::record::Record;
use crate::sniff::proxy_header::proxy_header;
use crate::sniff::read_layer;
use crate::sniff::rewind::Rewind;
use crate::sys::orig_dst::canonical;
use crate::tcp;
use crate::tcp::Carried;
use crate::tcp::Reached;
use crate::tls::Alpn;

/// How long a client of a gateway may take for its TLS handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(15);

/// What is left to do with a connection once it is known where it goes. It may last for days, so nothing of the
/// configuration is held on to.
enum Rest {
    /// Nothing, and nothing to tell: the client left without a word.
    Nothing,
    /// Bytes are relayed. With what the server has said already.
    Relay(Rewind<TcpStream>, Reached, Vec<u8>),
    /// Bytes inside TLS that ended here are relayed.
    RelayTls(Decrypted, Reached),
    /// It carries HTTP.
    Http(Rewind<TcpStream>, HttpVersion, Caller),
    /// It carries HTTP inside TLS that ended here.
    Https(Decrypted, HttpVersion, Caller),
}

/// The inside of TLS that a gateway ended. Boxed: the session is large.
type Decrypted = Box<Rewind<TlsStream<Rewind<TcpStream>>>>;

/// Serves one accepted connection to its end. Never fails: whatever happens is reported.
pub async fn serve(socket: TcpStream, entrance: Entrance, proxy: Rc<Proxy>, held: Held) {
    // Each stage is boxed, and let go when it ends: a connection that idles, for hours maybe, is as small as its own
    // kind can be.
    let mut record = Box::new(Record::open(Arc::clone(&proxy.access_log)));
    let rest = Box::pin(walk(socket, entrance, &proxy, &mut record)).await;
    carry_out(rest, record, proxy, held).await;
}

/// What is left to do once the walk is over.
fn carry_out(
    rest: Result<Rest, Failure>,
    mut record: Box<Record>,
    proxy: Rc<Proxy>,
    held: Held,
) -> Pin<Box<dyn Future<Output = ()>>> {
    match rest {
        Ok(Rest::Nothing) => record.silence(),
        Ok(Rest::Relay(stream, server, greeting)) => {
            return Box::pin(relay(stream, server, greeting, record, held));
        }
        Ok(Rest::RelayTls(stream, server)) => {
            return Box::pin(relay(stream, server, Vec::new(), record, held));
        }
        // Each request has a record of its own.
        Ok(Rest::Http(stream, version, caller)) => {
            record.silence();
            return Box::pin(serve::serve(stream, version, Rc::new(caller), proxy, held));
        }
        Ok(Rest::Https(stream, version, caller)) => {
            record.silence();
            return Box::pin(serve::serve(*stream, version, Rc::new(caller), proxy, held));
        }
        Err(failure) => {
            debug!(%failure, "connection failed");
            record.stream_failed(&failure);
            record.end();
        }
    }
    Box::pin(ready(()))
}

async fn relay<S>(
    stream: S,
    server: Reached,
    greeting: Vec<u8>,
    mut record: Box<Record>,
    held: Held,
) where
    S: AsyncRead + AsyncWrite + Carried + Unpin,
{
    tcp::run(stream, server, &greeting, &mut record).await;
    record.end();
    drop(held);
}

async fn walk(
    socket: TcpStream,
    entrance: Entrance,
    proxy: &Proxy,
    record: &mut Record,
) -> Result<Rest, Failure> {
    let mut arrival = identify(&socket, entrance, record)?;
    let snapshot = proxy.current.load();
    if entrance == Entrance::Inbound {
        let application = tcp::inbound(arrival, &snapshot, record).await?;
        return Ok(Rest::Relay(Rewind::new(socket), application, Vec::new()));
    }
    let mut stream = Rewind::new(socket);
    if snapshot.reads_proxy_headers() {
        arrival.client = client_in_front(&mut stream, arrival.client, record).await?;
    }
    let mut layer = match decide::reading(&snapshot, &arrival) {
        Reading::Opaque => Layer::Opaque,
        Reading::Sniff { silence_max } => match read_layer(&mut stream, Some(silence_max)).await {
            Ok(Some(layer)) => layer,
            Ok(None) | Err(_) => return Ok(Rest::Nothing),
        },
    };
    let mut dialled = None;
    if layer == Layer::Silent {
        match first_speaker(&mut stream, arrival, proxy, &snapshot, record).await? {
            FirstSpeaker::Server(server, greeting) => {
                return Ok(Rest::Relay(stream, server, greeting));
            }
            FirstSpeaker::Client(spoken, server) => (layer, dialled) = (spoken, server),
            FirstSpeaker::Nobody => return Ok(Rest::Nothing),
        }
    }
    // Reading may have taken a while: what is decided now is decided by what holds now.
    let snapshot = proxy.current.load();
    act(stream, &layer, arrival, proxy, &snapshot, dialled, record).await
}

/// The client that whoever is in front of a gateway names; `peer` itself where nobody is named. The record takes that,
/// and whom the client dialled.
async fn client_in_front(
    stream: &mut Rewind<TcpStream>,
    peer: SocketAddr,
    record: &mut Record,
) -> Result<SocketAddr, Failure> {
    let read = timeout(HANDSHAKE_MAX, proxy_header(stream)).await;
    let named = match read {
        Ok(Ok(named)) => named,
        Ok(Err(error)) => return Err(Failure::new(Cause::ProxyHeader, error.to_string())),
        Err(_) => return Err(Failure::new(Cause::ProxyHeader, "no PROXY header in time")),
    };
    let Some(named) = named else { return Ok(peer) };
    let client = canonical(named.client);
    record.downstream_remote_address = Some(client);
    record.downstream_local_address = Some(canonical(named.dialled));
    Ok(client)
}

async fn act(
    stream: Rewind<TcpStream>,
    layer: &Layer,
    arrival: Arrival,
    proxy: &Proxy,
    snapshot: &Snapshot,
    dialled: Option<Dialled>,
    record: &mut Record,
) -> Result<Rest, Failure> {
    let decision = decide(layer, arrival, snapshot);
    saw(record, layer, &decision);
    let destination = decision.cluster.unwrap_or_default();
    let dialled = dialled
        .filter(|dialled| *dialled.cluster == *destination)
        .map(|dialled| dialled.server);
    match (decision.verdict, layer) {
        (Verdict::Http, layer) => {
            let caller = Caller {
                arrival,
                dialled: record.downstream_local_address.unwrap_or(arrival.to),
                terminated: None,
                shown: None,
            };
            Ok(Rest::Http(stream, http_version(layer), caller))
        }
        (Verdict::Terminate { tls, terminated }, Layer::Tls(_)) => {
            terminate(stream, tls, terminated, arrival, proxy, snapshot, record).await
        }
        (Verdict::Refuse(refusal @ Refusal::Blackhole), Layer::Tls(_)) => {
            tcp::deny_tls(stream).await;
            Err(refusal.into())
        }
        (verdict, _) => {
            let server = match dialled {
                Some(server) => server,
                None => reach(verdict, sni(layer), arrival, proxy, snapshot, record).await?,
            };
            Ok(Rest::Relay(stream, server, Vec::new()))
        }
    }
}

/// A gateway ends TLS, and asks again about what is inside.
async fn terminate(
    stream: Rewind<TcpStream>,
    tls: &Hashed<ServerTls>,
    terminated: Terminated,
    arrival: Arrival,
    proxy: &Proxy,
    snapshot: &Snapshot,
    record: &mut Record,
) -> Result<Rest, Failure> {
    // Inside the TLS protocol anything may be carried; HTTPS says what is inside, hence can offer it.
    let alpn = if terminated.server.protocol == Protocol::Https {
        Alpn::Either
    } else {
        Alpn::Unsaid
    };
    let accepted = timeout(HANDSHAKE_MAX, proxy.terminator.accept(stream, tls, alpn)).await;
    let (stream, shown) = accepted.map_err(|_| {
        Failure::new(
            Cause::ClientTls,
            "the client did not finish its TLS handshake",
        )
    })??;
    let mut stream = Rewind::new(stream);
    // Bytes go the same way whoever speaks first; only HTTP has to be read.
    let mut layer = Layer::Silent;
    let mut decision = decide_inside(&layer, &terminated, arrival, snapshot);
    if let Verdict::Http = decision.verdict {
        match read_layer(&mut stream, None).await {
            Ok(Some(read)) => layer = read,
            Ok(None) | Err(_) => return Ok(Rest::Nothing),
        }
        decision = decide_inside(&layer, &terminated, arrival, snapshot);
    }
    saw(record, &layer, &decision);
    record.requested_server_name.clone_from(&terminated.sni);
    match decision.verdict {
        Verdict::Http => {
            let caller = Caller {
                arrival,
                dialled: record.downstream_local_address.unwrap_or(arrival.to),
                terminated: Some(terminated),
                shown,
            };
            Ok(Rest::Https(Box::new(stream), http_version(&layer), caller))
        }
        verdict => {
            let inside = match &verdict {
                Verdict::Forward(cluster) if by_name_of_call(cluster) => {
                    let limit = decide::silence_max(snapshot);
                    read_layer(&mut stream, Some(limit)).await.ok().flatten()
                }
                _ => None,
            };
            // The application's own TLS knows better whom it wants than that of the mesh around it.
            let name = inside.as_ref().and_then(sni).or(terminated.sni.as_deref());
            let server = reach(verdict, name, arrival, proxy, snapshot, record).await?;
            Ok(Rest::RelayTls(Box::new(stream), server))
        }
    }
}

/// Whether the name of a call says where it goes.
fn by_name_of_call(cluster: &Cluster) -> bool {
    matches!(cluster.discovery, Discovery::PerCall { .. })
}

/// Connects to where a verdict for bytes sends them. `name` is the client's SNI.
async fn reach(
    verdict: Verdict<'_>,
    name: Option<&str>,
    arrival: Arrival,
    proxy: &Proxy,
    snapshot: &Snapshot,
    record: &mut Record,
) -> Result<Reached, Failure> {
    match verdict {
        Verdict::Pass if snapshot.is_bound(arrival.to) => Err(Refusal::OwnListener.into()),
        Verdict::Pass => tcp::pass(arrival, snapshot, record).await,
        Verdict::Forward(cluster) => {
            tcp::forward(cluster, arrival, name, proxy, snapshot, record).await
        }
        Verdict::Refuse(refusal) => Err(refusal.into()),
        Verdict::Http | Verdict::Terminate { .. } => Err(Failure::new(
            Cause::Internal,
            "bytes were decided to be what they are not",
        )),
    }
}

/// Asks what happens to a connection as it came in.
fn decide<'s>(layer: &Layer, arrival: Arrival, snapshot: &'s Snapshot) -> ConnectionDecision<'s> {
    let call = Connection {
        arrival,
        layer,
        terminated: None,
    };
    decide::connection(snapshot, &call, &mut dice)
}

/// Asks what happens to what is inside TLS that ended here.
fn decide_inside<'s>(
    layer: &Layer,
    terminated: &Terminated,
    arrival: Arrival,
    snapshot: &'s Snapshot,
) -> ConnectionDecision<'s> {
    let call = Connection {
        arrival,
        layer,
        terminated: Some(terminated),
    };
    decide::connection(snapshot, &call, &mut dice)
}

/// Notes what the connection carries and where it goes. A cluster that does not exist is not named.
fn saw(record: &mut Record, layer: &Layer, decision: &ConnectionDecision<'_>) {
    if let Layer::Tls(ClientHello { sni, .. }) = layer {
        record.requested_server_name.clone_from(sni);
    }
    record.decided(&decision.trail);
    record.upstream_cluster = match decision.verdict {
        Verdict::Refuse(Refusal::NoCluster(_)) => None,
        _ => decision.cluster.map(Arc::from),
    };
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
        // A port that is HTTP whatever the bytes are: the codec says what is wrong with them.
        Layer::Tls(_) | Layer::Opaque | Layer::Silent => HttpVersion::One,
    }
}

fn dice(sides: u64) -> u64 {
    fastrand::u64(..sides.max(1))
}
