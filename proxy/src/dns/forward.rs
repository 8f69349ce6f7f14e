//! Forwards queries that are not about services, byte for byte, to the pod's own name servers.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use hickory_resolver::system_conf::parse_resolv_conf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

use crate::dns::datagram::MESSAGE_MAX;
use crate::dns::{datagram, verify};

use crate::sys::limits;

/// The time limit of one name server: half of a resolver's, so that the second server is queried in time.
const SERVER_TIME: Duration = Duration::from_millis(2_400);

/// The interval at which `resolv.conf` is read again.
const READ_INTERVAL: Duration = Duration::from_secs(5);

const SERVER_PORT: u16 = 53;

/// The time limit of all name servers together. Resolvers of applications wait for five seconds.
const QUESTION_TIME: Duration = Duration::from_secs(5);

/// The number of name servers that are used of a `resolv.conf` (resolv.conf(5)).
const SERVERS_MAX: usize = 3;

/// How long a server that answered when those listed before it did not is queried first.
const PREFERENCE_TIME: Duration = Duration::from_secs(30);

/// The transport on which a query arrived and is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// As a datagram.
    Udp,
    /// Over a connection.
    Tcp,
}

/// The pod's name servers and search domains of `resolv.conf`, which is read again at intervals.
#[derive(Debug)]
pub struct NameServers {
    path: PathBuf,
    known: RefCell<Option<(Instant, Rc<ResolvConf>)>>,
    /// A server that answered when one listed before it did not, and the time.
    preferred: Cell<Option<(SocketAddr, Instant)>>,
}

/// The settings of a `resolv.conf`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// The name servers, in order.
    pub servers: Vec<SocketAddr>,
    /// Lower case, without the final dot.
    pub search: Vec<String>,
}

impl ResolvConf {
    /// Parses the text. Invalid lines are ignored.
    pub fn parse(text: &[u8]) -> Self {
        let Ok((config, _)) = parse_resolv_conf(text) else {
            return Self::default();
        };
        let mut servers: Vec<SocketAddr> = Vec::new();
        for server in config.name_servers() {
            let address = SocketAddr::new(server.ip, SERVER_PORT);
            if servers.len() < SERVERS_MAX && !servers.contains(&address) {
                servers.push(address);
            }
        }
        let search = config.search().iter();
        Self {
            servers,
            search: search
                .map(|name| name.to_ascii().trim_end_matches('.').to_ascii_lowercase())
                .filter(|domain| !domain.is_empty())
                .collect(),
        }
    }
}

impl NameServers {
    /// The name servers of `path`, usually `/etc/resolv.conf`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            known: RefCell::default(),
            preferred: Cell::default(),
        }
    }

    /// The settings of the file, at most `READ_INTERVAL` old.
    pub fn known(&self) -> Rc<ResolvConf> {
        let mut known = self.known.borrow_mut();
        if let Some((since, conf)) = &*known
            && since.elapsed() < READ_INTERVAL
        {
            return Rc::clone(conf);
        }
        let text = std::fs::read(&self.path).unwrap_or_default();
        let conf = Rc::new(ResolvConf::parse(&text));
        *known = Some((Instant::now(), Rc::clone(&conf)));
        conf
    }

    /// The name servers in query order. A server that answered lately in place of another comes first.
    pub fn in_order(&self) -> Vec<SocketAddr> {
        let mut servers = self.known().servers.clone();
        if let Some((preferred, since)) = self.preferred.get()
            && since.elapsed() < PREFERENCE_TIME
            && let Some(index) = servers.iter().position(|server| *server == preferred)
        {
            servers[..=index].rotate_right(1);
        }
        servers
    }

    /// Records which of the servers, queried in `order`, answered.
    pub fn note_answer(&self, order: &[SocketAddr], answered: SocketAddr) {
        // A server moves to the front only after the failure of another one.
        if order.first() != Some(&answered) {
            self.preferred.set(Some((answered, Instant::now())));
        }
    }
}

/// The answer of the first of `servers` that answers, and its address. A failure (SERVFAIL, REFUSED) is returned only when
/// no other server answers. Records of other names are removed from the answer.
///
/// # Errors
/// The last server's: no answer in time, not reachable; `NotFound` without servers.
pub async fn forward(
    question: &[u8],
    servers: &[SocketAddr],
    transport: Transport,
) -> io::Result<(Vec<u8>, SocketAddr)> {
    let end = Instant::now() + QUESTION_TIME;
    let mut worst = Err(io::Error::new(
        io::ErrorKind::NotFound,
        "there is no name server in resolv.conf",
    ));
    for server in servers {
        let exchange = async {
            match transport {
                Transport::Udp => over_udp(question, *server).await,
                Transport::Tcp => over_tcp(question, *server).await,
            }
        };
        let end = end.min(Instant::now() + SERVER_TIME);
        let answered = timeout_at(end, exchange).await.unwrap_or_else(|_| {
            let message = "it does not answer in time";
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        });
        match answered {
            Ok(response) if verify::is_failure(&response) => worst = Ok((response, *server)),
            Ok(response) => {
                let response = verify::without_foreign_records(&response).unwrap_or(response);
                return Ok((response, *server));
            }
            Err(error) => {
                let message = format!("name server {server}: {error}");
                worst = worst.or(Err(io::Error::new(error.kind(), message)));
            }
        }
    }
    worst
}

/// Each query has a socket of its own: the random port makes forged answers harder (RFC 5452).
async fn over_udp(question: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = limits::within_calls(UdpSocket::bind((any, 0)).await?)?;
    socket.connect(server).await?;
    socket.send(question).await?;
    datagram::receive(&socket, question, <[u8]>::to_vec).await
}

async fn over_tcp(question: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    write_framed(&mut stream, question).await?;
    let response = read_framed(&mut stream, MESSAGE_MAX).await?;
    if verify::answers(question, &response) {
        return Ok(response);
    }
    let message = "it answers another question";
    Err(io::Error::new(io::ErrorKind::InvalidData, message))
}

/// Reads one message of at most `bytes_max` from a connection (RFC 1035, 4.2.2: its length in two bytes, then the message).
///
/// # Errors
/// The connection's, `UnexpectedEof` at its end; `InvalidData` for a message that is too long.
pub async fn read_framed(stream: &mut TcpStream, bytes_max: usize) -> io::Result<Vec<u8>> {
    let length = usize::from(stream.read_u16().await?);
    if length > bytes_max {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

/// Writes one message of a connection, see [`read_framed`].
///
/// # Errors
/// The connection's; `InvalidInput` for a message that is too long for one.
pub async fn write_framed(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut framed = Vec::with_capacity(message.len() + 2);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    stream.write_all(&framed).await
}

#[cfg(test)]
mod tests;
