//! Connections to upstreams: TCP within a time limit, trying the other addresses of a name when one does not answer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use egret_config::address::{EndpointAddress, LocalAddress, UpstreamLocalAddress};
use egret_config::model::policy;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout};

use crate::dial::stream::Socket;
use crate::failure::{Cause, Failure};
use crate::own_sockets::{OwnSockets, Registered};
use crate::report::facts::UpstreamConnectionFacts;
use crate::sys::{limits, socket};

/// How long to wait for one address before the next is tried as well (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);

/// How to connect.
#[derive(Clone, Copy, Debug)]
pub struct Dial<'d> {
    /// The local address, where one is configured.
    pub from: Option<IpAddr>,
    /// How long connecting may take, all addresses together.
    pub limit: Duration,
    /// Keepalive of the connection; `None` for none.
    pub keepalive: Option<&'d policy::Keepalive>,
    /// The sockets of this proxy. Its listeners are not dialled, and the new connection is registered.
    pub own: &'d OwnSockets,
}

/// A new connection.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub stream: Socket,
    /// The address that answered.
    pub address: EndpointAddress,
    /// Its facts, with its local address.
    pub facts: UpstreamConnectionFacts,
}

/// Connects to the first of `addresses` that answers; they are tried in order, each with a head start on the next. Addresses
/// of this proxy's listeners are skipped.
///
/// # Errors
/// [`Cause::Connect`] with the last address's refusal, or [`Cause::ConnectTimeout`]; `Refusal::OwnListener` where this
/// proxy listens on all of them.
pub async fn connect(addresses: &[SocketAddr], dial: Dial<'_>) -> Result<Connected, Failure> {
    let allowed = dial.own.allowed(addresses)?;
    connect_any(allowed.as_deref().unwrap_or(addresses), dial).await
}

/// Connects to the application beside this proxy. It may have any port that no redirection leads from.
///
/// # Errors
/// Those of [`connect`] but for the refusal.
pub async fn connect_application(
    address: SocketAddr,
    dial: Dial<'_>,
) -> Result<Connected, Failure> {
    connect_any(&[address], dial).await
}

async fn connect_any(addresses: &[SocketAddr], dial: Dial<'_>) -> Result<Connected, Failure> {
    let begun = Instant::now();
    let outcome = match addresses {
        [only] => timeout(dial.limit, one(*only, dial)).await,
        several => timeout(dial.limit, race(several, dial)).await,
    };
    let first = addresses
        .first()
        .map_or_else(String::new, ToString::to_string);
    let Dialled {
        stream,
        registered,
        address,
        local,
    } = match outcome {
        Ok(Ok(connected)) => connected,
        Ok(Err((address, error))) => return Err(refused(&EndpointAddress::Ip(address), &error)),
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
    if let Some(keepalive) = dial.keepalive {
        let keepalive = socket::Keepalive {
            time: keepalive.time,
            interval: keepalive.interval,
            probes: keepalive.probes,
        };
        // If the peer has already closed, the first write fails.
        let _ = socket::set_keepalive(&stream, &keepalive);
    }
    Ok(Connected {
        stream: Socket::Tcp(stream, registered),
        address: EndpointAddress::Ip(address),
        facts: UpstreamConnectionFacts::connected(
            UpstreamLocalAddress(EndpointAddress::Ip(local.0)),
            begun,
        ),
    })
}

/// Connects to a Unix socket within `limit`; a path that begins with `@` is a name in the abstract namespace.
///
/// # Errors
/// [`Cause::Connect`], or [`Cause::ConnectTimeout`].
pub async fn connect_unix(path: &Arc<str>, limit: Duration) -> Result<Connected, Failure> {
    let begun = Instant::now();
    let address = EndpointAddress::Unix(Arc::clone(path));
    let name = path.strip_prefix('@').map(|name| format!("\0{name}"));
    let connecting = UnixStream::connect(name.as_deref().unwrap_or(&**path));
    match timeout(limit, connecting).await {
        Ok(Ok(stream)) => Ok(Connected {
            stream: Socket::Unix(stream),
            facts: UpstreamConnectionFacts::connected(UpstreamLocalAddress(address.clone()), begun),
            address,
        }),
        Ok(Err(error)) => Err(refused(&address, &error)),
        Err(_) => {
            let message = format!("{path} did not accept the connection within {limit:?}");
            Err(Failure::new(Cause::ConnectTimeout, message))
        }
    }
}

/// A new connection with its registration as one of this proxy's sockets.
struct Dialled {
    stream: TcpStream,
    registered: Registered,
    address: SocketAddr,
    local: LocalAddress,
}

async fn one(address: SocketAddr, dial: Dial<'_>) -> Result<Dialled, (SocketAddr, io::Error)> {
    let connecting = async {
        let announced = dial.own.connecting();
        let socket = socket::begin_connect(address, dial.from)?;
        let local = socket.local_addr()?.as_socket();
        let local = LocalAddress(local.ok_or_else(|| io::Error::other("not an internet socket"))?);
        // Before the next await: the connection may already be in the queue of one of this proxy's listeners.
        let registered = dial.own.register(local, address);
        drop(announced);
        Ok(Dialled {
            stream: socket::connected(socket).await?,
            registered,
            address,
            local,
        })
    };
    connecting.await.map_err(|error| (address, error))
}

async fn race(
    addresses: &[SocketAddr],
    dial: Dial<'_>,
) -> Result<Dialled, (SocketAddr, io::Error)> {
    let mut waiting = addresses.iter();
    let mut running = FuturesUnordered::new();
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let mut last = (nowhere, io::Error::from(io::ErrorKind::AddrNotAvailable));
    loop {
        if let Some(next) = waiting.next() {
            running.push(one(*next, dial));
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

fn refused(address: &EndpointAddress, error: &io::Error) -> Failure {
    if limits::is_lack_of_files(error) {
        let message = format!("no descriptor is left to connect to {address}");
        return Failure::new(Cause::Overloaded, message);
    }
    let message = format!("cannot connect to {address}: {error}");
    Failure::new(Cause::Connect(envoy_details(error).into()), message)
}

/// The error in Envoy's form for the log: without spaces and without the error's number.
fn envoy_details(error: &io::Error) -> String {
    let message = error.to_string();
    let message = message.split(" (os error").next().unwrap_or_default();
    format!("delayed_connect_error:_{}", message.replace(' ', "_"))
}

#[cfg(test)]
mod tests {
    use egret_config::address::{ClientAddress, OriginalDestination};
    use egret_config::decide::verdict::Refusal;
    use egret_config::snapshot::workload::Mode;
    use tokio::net::TcpListener;

    use super::*;
    use crate::own_sockets::tests::listening_on;

    /// The settings of a test's connection.
    fn dial(own: &OwnSockets) -> Dial<'_> {
        Dial {
            from: None,
            limit: Duration::from_secs(5),
            keepalive: None,
            own,
        }
    }

    /// An address of this machine where closed_port listens.
    async fn closed_port() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        listener.local_addr().expect("address")
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let (good, bad) = (listener.local_addr().expect("address"), closed_port().await);
        let own = listening_on(&[], Mode::Sidecar);
        let connected = connect(&[bad, good], dial(&own)).await.expect("connected");
        assert_eq!(connected.address, EndpointAddress::Ip(good));
        let Socket::Tcp(stream, _) = connected.stream else {
            panic!("{connected:?} is not TCP");
        };
        assert!(stream.nodelay().expect("nodelay"));
    }

    #[tokio::test]
    async fn a_refusal_names_the_address() {
        let own = listening_on(&[], Mode::Sidecar);
        for addresses in [
            &[closed_port().await][..],
            &[closed_port().await, closed_port().await],
        ] {
            let failure = connect(addresses, dial(&own)).await.expect_err("refused");
            assert!(matches!(failure.cause(), Cause::Connect(_)), "{failure:?}");
            let last = addresses.last().expect("one").to_string();
            assert!(failure.to_string().contains(&last), "{failure}");
        }
        assert!(matches!(
            connect(&[], dial(&own)).await.expect_err("none").cause(),
            Cause::Connect(_)
        ));
    }

    #[tokio::test]
    async fn an_own_listener_is_not_dialled() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let own = listening_on(&[address.port()], Mode::Sidecar);
        let failure = connect(&[address], dial(&own)).await.expect_err("refused");
        assert_eq!(*failure.cause(), Cause::Refused(Refusal::OwnListener));
        // The application may use a port that this proxy uses on another address.
        let connected = connect_application(address, dial(&own)).await;
        let (connected, accepted) = (connected.expect("connected"), listener.accept().await);
        let (_, peer) = accepted.expect("accepted");
        let client = ClientAddress(peer);
        assert!(own.has_upstream(client, OriginalDestination(address)));
        drop(connected);
        assert!(!own.has_upstream_at(client));
    }
}
