//! Runs a verdict for bytes: connects to the upstream and relays until both sides are done.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use egret_config::address::EndpointAddress;
use egret_config::decide::destination::DialRefusal;
use egret_config::decide::flag::Flag;
use egret_config::decide::verdict::Verdict;
use egret_config::snapshot::cluster::Cluster;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::connection::context::ConnectionContext;
use crate::dial::connect::{Dial, connect_application};
use crate::dial::proxy_protocol::Ends;
use crate::dial::stream::Stream;
use crate::dice;
use crate::failure::{Cause, Failure};
use crate::relay::{End, Side, relay};
use crate::report::facts::Facts;
use crate::report::stream_bytes::StreamBytes;
use crate::sniff::rewind::Rewind;
use crate::sys::socket;
use crate::tls::{ACCESS_DENIED, Alpn};
use crate::upstream::clusters::{AttemptHistory, Carries, LoadBalancerContext, Opening};
use crate::upstream::endpoints::Active;
use crate::upstream::hash_key;
use crate::upstream::outlier::CallOutcome;

/// Istio's default for `tcp.idleTimeout`.
const IDLE_MAX: Duration = Duration::from_secs(3600);

/// How long a refused client may take to read the alert.
const ALERT_TIME_MAX: Duration = Duration::from_secs(1);

/// The cluster's name in the log for connections to the application.
const INBOUND_CLUSTER: &str = "InboundPassthroughCluster";

/// The source addresses of connections to the application: the redirect rules exclude them.
const INBOUND_FROM_V4: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);
const INBOUND_FROM_V6: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6);

/// A connection to an upstream, ready to be relayed to.
#[derive(Debug)]
pub struct UpstreamConnection {
    stream: Stream,
    idle_max: Duration,
    /// How long the connection may last, whatever moves on it.
    duration_max: Option<Duration>,
    /// Counts the connection at its endpoint.
    _active: Option<Active>,
}

impl UpstreamConnection {
    /// The connection.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }
}

/// Connects to where a verdict for bytes sends them. `name` is the client's SNI.
///
/// # Errors
/// The verdict refuses the connection, or its upstream cannot be reached.
pub async fn connect_upstream(
    verdict: Verdict<'_>,
    name: Option<&str>,
    context: &mut ConnectionContext<'_>,
) -> Result<UpstreamConnection, Failure> {
    match verdict {
        Verdict::Passthrough => pass(context).await,
        Verdict::Forward(cluster) => forward(cluster, name, context).await,
        Verdict::Refuse(refusal) => Err(refusal.into()),
        Verdict::Http | Verdict::Terminate { .. } => Err(Failure::new(
            Cause::Internal,
            "bytes were decided to be what they are not",
        )),
    }
}

/// Connects to the original destination.
async fn pass(context: &mut ConnectionContext<'_>) -> Result<UpstreamConnection, Failure> {
    let mesh = &context.snapshot.mesh;
    let dial = Dial {
        from: None,
        limit: mesh.connect_timeout,
        keepalive: mesh.keepalive.as_ref(),
        own: context.proxy.clusters.own(),
    };
    let to = context.downstream.arrival.original_dst.0;
    let clusters = &context.proxy.clusters;
    context.facts.upstream = Some(clusters.passthrough_counters());
    let attempt = context.facts.attempts.begin(EndpointAddress::Ip(to));
    let (stream, facts) = clusters.connect_original(to, dial).await?;
    attempt.connection = Some(Arc::new(facts));
    Ok(UpstreamConnection {
        stream,
        idle_max: IDLE_MAX,
        duration_max: None,
        _active: None,
    })
}

/// Connects to the application that a redirected inbound connection is for.
///
/// # Errors
/// It cannot be reached.
pub async fn inbound(context: &mut ConnectionContext<'_>) -> Result<UpstreamConnection, Failure> {
    let (snapshot, own) = (context.snapshot, context.proxy.clusters.own());
    let to = context.downstream.arrival.original_dst.0;
    let from: IpAddr = match to {
        SocketAddr::V4(_) => INBOUND_FROM_V4.into(),
        SocketAddr::V6(_) => INBOUND_FROM_V6.into(),
    };
    let dial = Dial {
        from: Some(from),
        limit: snapshot.mesh.connect_timeout,
        keepalive: None,
        own,
    };
    context.facts.decision.cluster = Some(INBOUND_CLUSTER.into());
    if snapshot.workload.redirect_ports.contains(&to.port()) {
        let refusal = DialRefusal::own_listener(to);
        return Err(own.refused(refusal));
    }
    let attempt = context.facts.attempts.begin(EndpointAddress::Ip(to));
    let connected = connect_application(to, dial).await?;
    attempt.connection = Some(Arc::new(connected.facts));
    Ok(UpstreamConnection {
        stream: Stream::plain(connected.stream),
        idle_max: IDLE_MAX,
        duration_max: None,
        _active: None,
    })
}

/// Connects to an endpoint of a cluster, with its policy's TLS, PROXY header and tunnel. `name` is
/// the client's SNI.
async fn forward(
    cluster: &Arc<Cluster>,
    name: Option<&str>,
    context: &mut ConnectionContext<'_>,
) -> Result<UpstreamConnection, Failure> {
    let (arrival, clusters) = (context.downstream.arrival, &context.proxy.clusters);
    context.facts.decision.service = Some(cluster.service.clone());
    let live = clusters.live(cluster);
    context.facts.upstream = Some(Arc::clone(&live.counters));
    let permit = live.stream()?;
    let balancing = LoadBalancerContext {
        original_dst: arrival.original_dst,
        mode: context.snapshot.workload.mode,
        name,
        tried: AttemptHistory::default(),
        hash: hash_key::policy(cluster).and_then(|on| hash_key::of_stream(on, arrival.client.ip())),
        carries: Carries::Stream,
    };
    let target = live
        .pick(&balancing, clusters.names(), &mut dice::roll)
        .await?;
    let attempt = context.facts.attempts.begin(target.address.clone());
    target.describe(attempt);
    let opening = Opening {
        live: &live,
        address: &target.address,
        others: &target.others,
        host: None,
        alpn: Alpn::None,
        ends: Some(Ends {
            client: arrival.client,
            local: arrival.local,
        }),
        permit,
    };
    let opened = clusters.open(opening).await?;
    live.report(&opened.address, CallOutcome::Connected);
    attempt.endpoint = opened.address;
    attempt.connection = Some(opened.facts);
    let limits = &cluster.policy.pool;
    Ok(UpstreamConnection {
        stream: opened.stream,
        idle_max: limits.tcp_idle_timeout.unwrap_or(IDLE_MAX),
        duration_max: limits.connection_duration_max,
        _active: target.active,
    })
}

/// Relays until both sides are done, and counts in `bytes`. `early` are the bytes that the upstream sent before the
/// decision. A connection that one side resets is reset on the other.
pub async fn run<S>(
    mut client: S,
    mut upstream: UpstreamConnection,
    early: &[u8],
    bytes: &StreamBytes,
    facts: &mut Facts,
) where
    S: AsyncRead + AsyncWrite + HasTcpStream + Unpin,
{
    let counting = Counting { facts, bytes };
    if !early.is_empty() {
        if client.write_all(early).await.is_err() {
            reset(&upstream.stream);
            return;
        }
        bytes.from_upstream.add(early.len() as u64);
    }
    // Zero means no limit.
    let idle_max = Some(upstream.idle_max).filter(|limit| !limit.is_zero());
    let relaying = relay(&mut client, &mut upstream.stream, idle_max, bytes);
    let end = match upstream.duration_max {
        None => relaying.await,
        Some(limit) => match timeout(limit, relaying).await {
            Ok(end) => end,
            Err(_) => {
                counting.facts.flags.raise(Flag::DT);
                debug!(?limit, "connection ended: maxConnectionDuration");
                return;
            }
        },
    };
    match end {
        End::Broken { by, error } => {
            debug!(?by, %error, "connection broken");
            match by {
                Side::Upstream => {
                    counting.facts.flags.raise(Flag::UR);
                    upstream.stream.set_closed();
                    socket::reset_on_close(client.socket());
                }
                Side::Client => reset(&upstream.stream),
            }
        }
        End::Closed {
            first: Side::Upstream,
        } => upstream.stream.set_closed(),
        End::Closed {
            first: Side::Client,
        }
        | End::Idle => {}
    }
}

/// Resets the connection to the upstream. A Unix socket has no reset; its unread bytes have the same effect.
fn reset(upstream: &Stream) {
    if let Some(stream) = upstream.socket() {
        socket::reset_on_close(stream);
    }
}

/// A client's connection, with or without TLS.
pub trait HasTcpStream {
    /// The socket.
    fn socket(&self) -> &TcpStream;
}

impl HasTcpStream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl<S: HasTcpStream> HasTcpStream for Rewind<S> {
    fn socket(&self) -> &TcpStream {
        self.inner().socket()
    }
}

impl<S: HasTcpStream> HasTcpStream for TlsStream<S> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0.socket()
    }
}

impl<S: HasTcpStream> HasTcpStream for Box<S> {
    fn socket(&self) -> &TcpStream {
        (**self).socket()
    }
}

/// Sets the bytes in the facts, also when the relay is cut off.
struct Counting<'r> {
    facts: &'r mut Facts,
    bytes: &'r StreamBytes,
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.facts.bytes_received = self.bytes.from_client.get();
        self.facts.bytes_sent = self.bytes.from_upstream.get();
    }
}

/// Sends a TLS client the alert `access_denied`, then closes so that it can read the alert.
pub async fn deny_tls<S>(mut client: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let alert = async {
        client.write_all(&ACCESS_DENIED).await?;
        client.shutdown().await?;
        // Closing with unread bytes would reset the connection and take the alert away from the client.
        let mut rest = [0; 1024];
        while client.read(&mut rest).await? > 0 {}
        std::io::Result::Ok(())
    };
    if !matches!(timeout(ALERT_TIME_MAX, alert).await, Ok(Ok(()))) {
        debug!("the refused client did not close in order");
    }
}
