//! The sockets of captured DNS queries: datagrams and connections on loopback, served on a thread of their own.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use std::{io, net};

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tokio::time;
use tracing::{debug, warn};

use crate::current::Current;
use crate::dice;
use crate::dns::forward::{NameServers, Transport, read_framed, write_framed};
use crate::dns::log_limit::LogLimit;
use crate::dns::{answer, forward, verify};
use crate::report::metrics::dns::{QueryCounters, QueryResult};
use crate::report::metrics::limits::{Limit, LimitHits};
use crate::sys::limits;

/// The number of queries that wait for name servers at a time; one more fails at once. Each has a socket and some
/// kilobytes of memory.
const WAITING_MAX: usize = 1_024;

/// Connections at a time.
const CLIENTS_MAX: usize = 256;

/// How long a connection may be silent (RFC 7766, 6.2.3: a few seconds).
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// The wait after a socket's error.
const BACKOFF: Duration = Duration::from_millis(100);

/// The bytes of a query. A longer datagram is cut by the kernel and answered with an error; a connection with a longer
/// query is closed.
const QUESTION_MAX: usize = 4_096;

/// Log lines about queries that failed, in [`LOG_INTERVAL`].
const LOG_LINES_MAX: u32 = 5;
/// See [`LOG_LINES_MAX`].
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The server of captured queries.
#[derive(Debug)]
pub struct Captured {
    current: Arc<Current>,
    name_servers: NameServers,
    waiting: Semaphore,
    clients: Semaphore,
    log_limit: LogLimit,
    counters: CapturedCounters,
}

/// The counters of captured queries.
#[derive(Clone, Debug, Default)]
pub struct CapturedCounters {
    /// Queries by result.
    pub queries: Arc<QueryCounters>,
    /// Queries and clients above their limits.
    pub limits: Arc<LimitHits>,
}

impl Captured {
    /// A server that answers from the current configuration, and other queries from the name servers of `resolv_conf`.
    pub fn new(
        current: Arc<Current>,
        resolv_conf: impl Into<PathBuf>,
        counters: CapturedCounters,
    ) -> Rc<Self> {
        Rc::new(Self {
            current,
            name_servers: NameServers::new(resolv_conf),
            waiting: Semaphore::new(WAITING_MAX),
            clients: Semaphore::new(CLIENTS_MAX),
            log_limit: LogLimit::new(LOG_LINES_MAX, LOG_INTERVAL),
            counters,
        })
    }

    /// Serves two sockets of one address until the caller's `LocalSet` is dropped.
    ///
    /// # Errors
    /// When they cannot be waited on.
    pub fn serve(
        self: &Rc<Self>,
        datagrams: net::UdpSocket,
        listener: net::TcpListener,
    ) -> io::Result<()> {
        let datagrams = Rc::new(UdpSocket::from_std(datagrams)?);
        let listener = TcpListener::from_std(listener)?;
        spawn_local(Rc::clone(self).over_udp(datagrams));
        spawn_local(Rc::clone(self).over_tcp(listener));
        Ok(())
    }

    async fn over_udp(self: Rc<Self>, socket: Rc<UdpSocket>) {
        let mut buffer = vec![0; QUESTION_MAX];
        loop {
            let (length, client) = match socket.recv_from(&mut buffer).await {
                Ok(received) => received,
                Err(error) => {
                    warn!(%error, "cannot take DNS queries");
                    time::sleep(BACKOFF).await;
                    continue;
                }
            };
            let question = buffer.get(..length).unwrap_or_default();
            match self.at_once(question, Transport::Udp) {
                ImmediateResult::Nothing => {}
                ImmediateResult::Response(bytes) => send(&socket, &bytes, client).await,
                ImmediateResult::Unknown(query) => {
                    let (own, socket) = (Rc::clone(&self), Rc::clone(&socket));
                    let question = question.to_vec();
                    spawn_local(async move {
                        let bytes = own.ask(&query, &question, Transport::Udp).await;
                        send(&socket, &bytes, client).await;
                    });
                }
            }
        }
    }

    async fn over_tcp(self: Rc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) if !limits::is_for_calls(&stream) => {
                    warn!("no descriptor is left for DNS clients");
                }
                Ok((stream, _)) => {
                    let own = Rc::clone(&self);
                    spawn_local(async move {
                        if let Err(error) = own.serve_connection(stream).await {
                            debug!(%error, "a DNS client left");
                        }
                    });
                }
                Err(error) => {
                    warn!(%error, "cannot accept DNS clients");
                    time::sleep(BACKOFF).await;
                }
            }
        }
    }

    /// Answers the queries of one connection, one after the other. A client above the limit is refused.
    async fn serve_connection(&self, mut stream: TcpStream) -> io::Result<()> {
        let Ok(_permit) = self.clients.try_acquire() else {
            self.counters.limits.count(Limit::DnsClients);
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        while let Ok(question) =
            time::timeout(SILENCE_MAX, read_framed(&mut stream, QUESTION_MAX)).await
        {
            let question = match question {
                Ok(question) => question,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            };
            let bytes = match self.at_once(&question, Transport::Tcp) {
                ImmediateResult::Nothing => return Err(io::ErrorKind::InvalidData.into()),
                ImmediateResult::Response(bytes) => bytes,
                ImmediateResult::Unknown(query) => {
                    self.ask(&query, &question, Transport::Tcp).await
                }
            };
            time::timeout(SILENCE_MAX, write_framed(&mut stream, &bytes)).await??;
        }
        Ok(())
    }

    /// The answer to a query that needs no other server.
    fn at_once(&self, question: &[u8], transport: Transport) -> ImmediateResult {
        let Ok(query) = Message::from_vec(question) else {
            return ImmediateResult::malformed(question);
        };
        let snapshot = self.current.load();
        let conf = self.name_servers.known();
        let turn = dice::number() as usize;
        let Some(response) = answer::answer(&query, &snapshot.names, &conf.search, turn) else {
            return ImmediateResult::Unknown(query);
        };
        let result = match response.response_code {
            ResponseCode::NXDomain => QueryResult::NxDomain,
            ResponseCode::ServFail => QueryResult::ServFail,
            _ => QueryResult::Ok,
        };
        self.counters.queries.count(result);
        let bytes = match transport {
            Transport::Udp => answer::datagram(&query, &response),
            Transport::Tcp => response.to_vec().ok(),
        };
        bytes.map_or(ImmediateResult::Nothing, ImmediateResult::Response)
    }

    /// The answer of the name servers; SERVFAIL when there is none.
    async fn ask(&self, query: &Message, question: &[u8], transport: Transport) -> Vec<u8> {
        let failed = || {
            let response = answer::empty(query, ResponseCode::ServFail);
            response.to_vec().unwrap_or_default()
        };
        let Ok(_permit) = self.waiting.try_acquire() else {
            self.counters.limits.count(Limit::DnsQueries);
            self.counters.queries.count(QueryResult::ServFail);
            self.log_failure(query, &"too many wait for the name servers");
            return failed();
        };
        let servers = self.name_servers.in_order();
        match forward::forward(question, &servers, transport).await {
            Ok((response, server)) => {
                self.name_servers.note_answer(&servers, server);
                self.counters.queries.count(forwarded(&response));
                response
            }
            Err(error) => {
                self.counters.queries.count(QueryResult::ServFail);
                self.log_failure(query, &error);
                failed()
            }
        }
    }

    /// Logs a warning about a query without an answer, up to the limit.
    fn log_failure(&self, query: &Message, error: &dyn Display) {
        if let Some(suppressed) = self.log_limit.pass(time::Instant::now()) {
            let name = query.queries.first().map(|query| query.name().to_ascii());
            let name = name.unwrap_or_default();
            warn!(
                name,
                suppressed, "a captured DNS query has no answer: {error}"
            );
        }
    }
}

/// The immediate result for a query.
enum ImmediateResult {
    /// Not DNS: no answer is sent.
    Nothing,
    /// This response.
    Response(Vec<u8>),
    /// The query has to be forwarded.
    Unknown(Message),
}

impl ImmediateResult {
    /// A query that cannot be parsed gets FORMERR, if it has at least an id and is not a response itself.
    fn malformed(question: &[u8]) -> Self {
        let [high, low, flags, ..] = *question else {
            return Self::Nothing;
        };
        if flags & verify::RESPONSE_BIT != 0 {
            return Self::Nothing;
        }
        let id = u16::from_be_bytes([high, low]);
        let response = Message::error_msg(id, OpCode::Query, ResponseCode::FormErr);
        response.to_vec().map_or(Self::Nothing, Self::Response)
    }
}

/// The result of a name server's response, by the code in its header (RFC 1035, 4.1.1).
fn forwarded(response: &[u8]) -> QueryResult {
    match response.get(3).map(|flags| flags & 0x0f) {
        Some(0) => QueryResult::Ok,
        Some(3) => QueryResult::NxDomain,
        Some(_) => QueryResult::ServFail,
        None => QueryResult::Error,
    }
}

async fn send(socket: &UdpSocket, bytes: &[u8], client: SocketAddr) {
    if let Err(error) = socket.send_to(bytes, client).await {
        debug!(%error, %client, "a DNS answer cannot be sent");
    }
}
