//! Connections to upstreams: TCP within a time limit, trying the other addresses of a name when one does not answer.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use egret_config::model::policy;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::failure::Cause;
use crate::failure::Failure;
use crate::sys::socket;
use crate::sys::stand_in;
use crate::sys::stand_in::Shown;
use crate::upstream::stream::Socket;

/// How long one address may stay silent before the next is tried beside it (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);

/// What a connection is to be like.
#[derive(Clone, Copy, Debug)]
pub struct Dial<'d> {
    /// Our address, where it matters.
    pub from: Option<IpAddr>,
    /// How long connecting may take, all addresses together.
    pub limit: Duration,
    /// Keepalive of the connection; `None` for none.
    pub keepalive: Option<&'d policy::Keepalive>,
}

/// A connection just made.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub stream: Socket,
    /// The address that answered.
    pub address: SocketAddr,
    /// Our address on it.
    pub local: SocketAddr,
}

/// Connects to the first of `addresses` that answers; they are tried in order, each with a head start on the next.
///
/// # Errors
/// [`Cause::Connect`] with the last address's refusal, or [`Cause::ConnectTimeout`].
pub async fn connect(addresses: &[SocketAddr], dial: Dial<'_>) -> Result<Connected, Failure> {
    if let [only] = addresses
        && let Some(path) = stand_in::path(only)
    {
        return to_path(*only, &path, dial.limit).await;
    }
    let outcome = match addresses {
        [only] => timeout(dial.limit, one(*only, dial.from)).await,
        several => timeout(dial.limit, race(several, dial.from)).await,
    };
    let first = addresses
        .first()
        .map_or_else(String::new, ToString::to_string);
    let (stream, address) = match outcome {
        Ok(Ok(connected)) => connected,
        Ok(Err((address, error))) => return Err(refused(address, &error)),
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
    let local = stream
        .local_addr()
        .map_err(|error| refused(address, &error))?;
    if let Some(keepalive) = dial.keepalive {
        let keepalive = socket::Keepalive {
            time: keepalive.time,
            interval: keepalive.interval,
            probes: keepalive.probes,
        };
        // A peer that is gone already shows at the first write.
        let _ = socket::set_keepalive(&stream, &keepalive);
    }
    Ok(Connected {
        stream: Socket::Tcp(stream),
        address,
        local,
    })
}

/// Connects to a Unix socket; a path that begins with `@` is a name in the kernel's own table.
async fn to_path(stand_in: SocketAddr, path: &str, limit: Duration) -> Result<Connected, Failure> {
    let name = path.strip_prefix('@').map(|name| format!("\0{name}"));
    let connecting = UnixStream::connect(name.as_deref().unwrap_or(path));
    match timeout(limit, connecting).await {
        Ok(Ok(stream)) => Ok(Connected {
            stream: Socket::Unix(stream),
            address: stand_in,
            local: stand_in,
        }),
        Ok(Err(error)) => Err(refused(stand_in, &error)),
        Err(_) => {
            let words = format!("{path} did not accept the connection within {limit:?}");
            Err(Failure::new(Cause::ConnectTimeout, words))
        }
    }
}

async fn one(
    address: SocketAddr,
    from: Option<IpAddr>,
) -> Result<(TcpStream, SocketAddr), (SocketAddr, io::Error)> {
    let connecting = async { socket::outgoing(address, from)?.connect(address).await };
    match connecting.await {
        Ok(stream) => Ok((stream, address)),
        Err(error) => Err((address, error)),
    }
}

async fn race(
    addresses: &[SocketAddr],
    from: Option<IpAddr>,
) -> Result<(TcpStream, SocketAddr), (SocketAddr, io::Error)> {
    let mut waiting = addresses.iter();
    let mut running = FuturesUnordered::new();
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let mut last = (nowhere, io::Error::from(io::ErrorKind::AddrNotAvailable));
    loop {
        if let Some(next) = waiting.next() {
            running.push(one(*next, from));
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

fn refused(address: SocketAddr, error: &io::Error) -> Failure {
    let words = format!("cannot connect to {}: {error}", Shown(address));
    Failure::new(Cause::Connect(envoys_words(error).into()), words)
}

/// What the log says, as Envoy does: one word, without the error's number.
fn envoys_words(error: &io::Error) -> String {
    let words = error.to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    format!("delayed_connect_error:_{}", words.replace(' ', "_"))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const DIAL: Dial<'_> = Dial {
        from: None,
        limit: Duration::from_secs(5),
        keepalive: None,
    };

    /// An address of this machine where nobody listens.
    async fn nobody() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        listener.local_addr().expect("address")
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let (good, bad) = (listener.local_addr().expect("address"), nobody().await);
        let connected = connect(&[bad, good], DIAL).await.expect("connected");
        assert_eq!(connected.address, good);
        let Socket::Tcp(stream) = connected.stream else {
            panic!("{connected:?} is not TCP");
        };
        assert!(stream.nodelay().expect("nodelay"));
    }

    #[tokio::test]
    async fn a_refusal_names_the_address() {
        for addresses in [&[nobody().await][..], &[nobody().await, nobody().await]] {
            let failure = connect(addresses, DIAL).await.expect_err("refused");
            assert!(matches!(failure.cause(), Cause::Connect(_)), "{failure:?}");
            let last = addresses.last().expect("one").to_string();
            assert!(failure.to_string().contains(&last), "{failure}");
        }
        assert!(matches!(
            connect(&[], DIAL).await.expect_err("none").cause(),
            Cause::Connect(_)
        ));
    }
}
