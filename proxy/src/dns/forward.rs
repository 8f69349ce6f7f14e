//! Questions that are not about services: passed on, byte for byte, to the pod's own name servers.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use hickory_resolver::system_conf::parse_resolv_conf;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::UdpSocket;
use tokio::time::Instant;
use tokio::time::timeout;

/// How long one name server may take: half of what resolvers wait, so that the second one is asked in time.
const SERVER_TIME: Duration = Duration::from_millis(2_400);

/// How often the name servers are looked up again.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

const SERVER_PORT: u16 = 53;
/// Bytes before the questions (RFC 1035, 4.1.1).
const HEADER: usize = 12;
/// Of the third byte of a message: it is a response.
pub(super) const RESPONSE_BIT: u8 = 0x80;
/// Of the fourth byte: how the question was met.
const RESPONSE_CODE: u8 = 0x0f;

/// How a question came, and goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// As a datagram.
    Udp,
    /// Over a connection.
    Tcp,
}

/// The pod's name servers and search domains, as `resolv.conf` has them; followed as it changes.
#[derive(Debug)]
pub struct NameServers {
    path: PathBuf,
    known: RefCell<Option<(Instant, Rc<ResolvConf>)>>,
}

/// What a `resolv.conf` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// Whom to ask, in order.
    pub servers: Vec<SocketAddr>,
    /// Lower case, without the final dot.
    pub search: Vec<String>,
}

impl ResolvConf {
    /// Reads the text; what cannot be understood says nothing.
    pub fn parse(text: &[u8]) -> Self {
        let Ok((config, _)) = parse_resolv_conf(text) else {
            return Self::default();
        };
        let mut servers: Vec<SocketAddr> = Vec::new();
        for server in config.name_servers() {
            let address = SocketAddr::new(server.ip, SERVER_PORT);
            if !servers.contains(&address) {
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
    /// Those that `path`, usually `/etc/resolv.conf`, names.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            known: RefCell::default(),
        }
    }

    /// What the file says now, or said a moment ago.
    pub fn known(&self) -> Rc<ResolvConf> {
        let mut known = self.known.borrow_mut();
        if let Some((since, conf)) = &*known
            && since.elapsed() < LOOK_INTERVAL
        {
            return Rc::clone(conf);
        }
        let text = std::fs::read(&self.path).unwrap_or_default();
        let conf = Rc::new(ResolvConf::parse(&text));
        *known = Some((Instant::now(), Rc::clone(&conf)));
        conf
    }
}

/// What the first of `servers` that answers says to a question. A server's own failure (SERVFAIL, REFUSED) is taken only
/// when no other one does better.
///
/// # Errors
/// The last server's: no answer in time, not reachable; `NotFound` without servers.
pub async fn forward(
    question: &[u8],
    servers: &[SocketAddr],
    transport: Transport,
) -> io::Result<Vec<u8>> {
    let mut worst = Err(io::Error::new(
        io::ErrorKind::NotFound,
        "there is no name server in resolv.conf",
    ));
    for server in servers {
        let asked = async {
            match transport {
                Transport::Udp => over_udp(question, *server).await,
                Transport::Tcp => over_tcp(question, *server).await,
            }
        };
        let said = timeout(SERVER_TIME, asked).await.unwrap_or_else(|_| {
            let words = format!("{server} does not answer");
            Err(io::Error::new(io::ErrorKind::TimedOut, words))
        });
        match said {
            Ok(response) if is_failure(&response) => worst = Ok(response),
            Ok(response) => return Ok(response),
            Err(error) => worst = worst.or(Err(error)),
        }
    }
    worst
}

/// Each question has a socket of its own, so that its port is a guess more for who would answer in a server's name.
async fn over_udp(question: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let response = buffer.get(..length).unwrap_or_default();
        if answers(question, response) {
            return Ok(response.to_vec());
        }
    }
}

async fn over_tcp(question: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    write_framed(&mut stream, question).await?;
    let response = read_framed(&mut stream).await?;
    if answers(question, &response) {
        return Ok(response);
    }
    let words = format!("{server} answers another question");
    Err(io::Error::new(io::ErrorKind::InvalidData, words))
}

/// Reads one message of a connection (RFC 1035, 4.2.2: its length in two bytes, then the message).
///
/// # Errors
/// The connection's, `UnexpectedEof` at its end.
pub async fn read_framed(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; length.into()];
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

/// Whether a message is the response to a question: its number, the response bit, and the question itself, unless the
/// server says that it could not read it.
pub fn answers(question: &[u8], response: &[u8]) -> bool {
    let (Some(asked), Some(said)) = (question.get(..HEADER), response.get(..HEADER)) else {
        return false;
    };
    if asked[..2] != said[..2] || said[2] & RESPONSE_BIT == 0 {
        return false;
    }
    if said[4..6] == [0, 0] {
        return is_failure(response);
    }
    let end = question_end(question);
    end.is_some_and(|end| question.get(HEADER..end) == response.get(HEADER..end))
}

/// Whether a response has a code other than "no error" and "no such name".
fn is_failure(response: &[u8]) -> bool {
    response
        .get(3)
        .is_some_and(|flags| !matches!(flags & RESPONSE_CODE, 0 | 3))
}

/// Where the first question of a message ends: a name without pointers, type and class.
fn question_end(message: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        match *message.get(at)? {
            0 => return Some(at + 5).filter(|end| *end <= message.len()),
            length if length < 64 => at += 1 + usize::from(length),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests;
