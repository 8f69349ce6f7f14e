//! The world's DNS server: records and failures that a test sets and changes while it runs, and a count of questions.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::Context;
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Header, HeaderCounts, Message, Metadata, Query, ResponseCode};
use hickory_server::proto::rr::rdata::{CNAME, SOA};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use hickory_server::proto::serialize::binary::BinDecoder;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo, Server};
use hickory_server::zone_handler::{MessageResponseBuilder, Queries};
use tokio::runtime::Handle;

/// What the server says about a name. Names that were never set do not exist.
#[derive(Clone, Debug)]
pub enum Answer {
    /// These addresses, for this many seconds. A family without addresses is answered with an empty answer.
    Addresses(Vec<IpAddr>, u32),
    /// The name does not exist.
    NxDomain,
    /// The server failed.
    ServFail,
    /// The server refuses to answer.
    Refused,
    /// No answer at all.
    Silence,
    /// These addresses, after this long.
    Slow(Duration, Vec<IpAddr>),
    /// These addresses over TCP; a datagram is truncated.
    Truncated(Vec<IpAddr>),
    /// A datagram that is no whole message, with the number of the question.
    Garbage,
    /// An alias of this name, without its addresses.
    Alias(String),
    /// These addresses, behind false answers with `false_address`: one with another number, one that answers another
    /// question, and a record of another name in the true answer.
    Forged {
        /// The true addresses.
        addresses: Vec<IpAddr>,
        /// The address of the false answers.
        false_address: IpAddr,
    },
}

/// The name that false records are about.
pub const FORGED_NAME: &str = "forged.example";

/// The handle by which a test rules the DNS server. Clones rule the same server.
#[derive(Clone, Debug, Default)]
pub struct Names {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    answers: HashMap<String, Answer>,
    questions: HashMap<String, usize>,
    /// The sockets that the server answers on, for answers that it would not give.
    sockets: Vec<UdpSocket>,
}

/// Seconds for which a resolver may remember that something does not exist: short, since tests change their mind.
const NEGATIVE_TTL: u32 = 1;

impl Names {
    /// Sets what is said about `name` from now on. Case and a final dot do not matter.
    pub fn set(&self, name: &str, answer: Answer) {
        self.state().answers.insert(canonical(name), answer);
    }

    /// How often `name` was asked for, all record types together.
    #[must_use]
    pub fn questions(&self, name: &str) -> usize {
        self.state()
            .questions
            .get(&canonical(name))
            .copied()
            .unwrap_or(0)
    }

    /// Answers on the given sockets until `runtime` ends.
    ///
    /// # Errors
    /// When a socket cannot be registered with the runtime.
    pub fn serve(
        &self,
        runtime: &Handle,
        udp: Vec<UdpSocket>,
        tcp: Vec<TcpListener>,
    ) -> anyhow::Result<()> {
        let _context = runtime.enter();
        let mut server = Server::new(self.clone());
        for socket in udp {
            socket.set_nonblocking(true)?;
            self.state().sockets.push(socket.try_clone()?);
            server.register_socket(tokio::net::UdpSocket::from_std(socket)?);
        }
        for listener in tcp {
            listener.set_nonblocking(true)?;
            server.register_listener(
                tokio::net::TcpListener::from_std(listener)?,
                Duration::from_secs(60),
                64,
            );
        }
        // The task ends with the runtime; an error of the server shows as names that do not resolve.
        runtime.spawn(async move { server.block_until_done().await });
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Sends a message as the server's own, which itself insists on the number of the question.
    fn send(&self, bytes: &[u8], to: SocketAddr) {
        let state = self.state();
        let of_family = |socket: &&UdpSocket| {
            socket
                .local_addr()
                .is_ok_and(|own| own.is_ipv4() == to.is_ipv4())
        };
        for socket in state.sockets.iter().filter(of_family) {
            // Nobody may wait for it any more.
            let _ = socket.send_to(bytes, to);
        }
    }

    fn ask(&self, name: &str) -> Answer {
        let mut state = self.state();
        *state.questions.entry(name.to_owned()).or_default() += 1;
        state.answers.get(name).cloned().unwrap_or(Answer::NxDomain)
    }
}

impl RequestHandler for Names {
    // What `#[async_trait]` makes of `async fn handle_request`.
    fn handle_request<'a, 'b, 'c, R, T>(
        &'a self,
        request: &'b Request,
        mut handle: R,
    ) -> Pin<Box<dyn Future<Output = ResponseInfo> + Send + 'c>>
    where
        R: ResponseHandler + 'c,
        T: Time + 'c,
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            let mut metadata = Metadata::response_from_request(&request.metadata);
            metadata.authoritative = true;
            metadata.recursion_available = true;
            let unsent = ResponseInfo::from(Header {
                metadata,
                counts: HeaderCounts::default(),
            });
            let Ok(info) = request.request_info() else {
                return unsent;
            };
            let question = canonical(&info.query.name().to_string());
            let answer = self.ask(&question);
            let kind = info.query.query_type();
            if let Answer::Forged { false_address, .. } = &answer {
                let records = false_records(&question, kind, *false_address);
                let mut forged = Message::response(metadata.id ^ 1, metadata.op_code);
                forged.add_query(info.query.original().clone());
                forged.add_answers(records.clone());
                let forged = forged.to_vec().expect("the message can be written");
                self.send(&forged, request.src());
                if let Ok(queries) = other_question(kind) {
                    let asked = MessageResponseBuilder::new(&queries, None);
                    let forged = asked.build(metadata, &records, &[], &[], &[]);
                    let _ = handle.send_response(forged).await;
                }
            }
            match &answer {
                Answer::Garbage => self.send(&garbage(metadata.id), request.src()),
                Answer::Slow(delay, _) => tokio::time::sleep(*delay).await,
                Answer::Truncated(_) => metadata.truncation = request.protocol() == Protocol::Udp,
                _ => {}
            }
            let answer = match answer {
                Answer::Truncated(_) if metadata.truncation => Answer::Addresses(Vec::new(), 60),
                other => other,
            };
            let Ok(reply) = reply(&question, kind, answer) else {
                return unsent;
            };
            let Some((code, answers, soa)) = reply else {
                return unsent;
            };
            metadata.response_code = code;
            let response = MessageResponseBuilder::from_message_request(request).build(
                metadata,
                &answers,
                &[],
                &soa,
                &[],
            );
            handle.send_response(response).await.unwrap_or(unsent)
        })
    }
}

/// The question section of a response to another question.
fn other_question(kind: RecordType) -> anyhow::Result<Queries> {
    const HEADER: usize = 12;
    let mut message = Message::query();
    let name = Name::from_str(&format!("{FORGED_NAME}."))?;
    message.add_query(Query::query(name, kind));
    let bytes = message.to_vec()?;
    let mut decoder = BinDecoder::new(&bytes[HEADER..]);
    Ok(Queries::read(&mut decoder, 1)?)
}

/// A record with a false address, if it is of the family asked for.
fn false_records(question: &str, kind: RecordType, address: IpAddr) -> Vec<Record> {
    let name = Name::from_str(&format!("{question}.")).unwrap_or_default();
    let data = address_data(kind, address);
    data.map(|data| Record::from_rdata(name, 60, data))
        .into_iter()
        .collect()
}

fn address_data(kind: RecordType, address: IpAddr) -> Option<RData> {
    match (kind, address) {
        (RecordType::A, IpAddr::V4(v4)) => Some(RData::A(v4.into())),
        (RecordType::AAAA, IpAddr::V6(v6)) => Some(RData::AAAA(v6.into())),
        _ => None,
    }
}

fn address_records(name: &Name, kind: RecordType, addresses: &[IpAddr], ttl: u32) -> Vec<Record> {
    let data = addresses.iter().filter_map(|one| address_data(kind, *one));
    data.map(|data| Record::from_rdata(name.clone(), ttl, data))
        .collect()
}

/// A response's head with this number that announces a question and records, none of which follow.
fn garbage(id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![high, low, 0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 0xc0, 0xff]
}

type Reply = (ResponseCode, Vec<Record>, Option<Record>);

fn reply(question: &str, kind: RecordType, answer: Answer) -> anyhow::Result<Option<Reply>> {
    let name = Name::from_str(&format!("{question}.")).context("the question is a name")?;
    let (code, answers) = match answer {
        Answer::Silence | Answer::Garbage => return Ok(None),
        Answer::ServFail => return Ok(Some((ResponseCode::ServFail, Vec::new(), None))),
        Answer::NxDomain => (ResponseCode::NXDomain, Vec::new()),
        Answer::Refused => return Ok(Some((ResponseCode::Refused, Vec::new(), None))),
        Answer::Alias(target) => {
            let target = Name::from_str(&format!("{target}.")).context("the alias is a name")?;
            let alias = Record::from_rdata(name, 60, RData::CNAME(CNAME(target)));
            return Ok(Some((ResponseCode::NoError, vec![alias], None)));
        }
        Answer::Forged {
            addresses,
            false_address,
        } => {
            let data = addresses.iter().filter_map(|one| address_data(kind, *one));
            let mut records = false_records(FORGED_NAME, kind, false_address);
            records.extend(data.map(|data| Record::from_rdata(name.clone(), 60, data)));
            (ResponseCode::NoError, records)
        }
        Answer::Addresses(addresses, ttl) => (
            ResponseCode::NoError,
            address_records(&name, kind, &addresses, ttl),
        ),
        Answer::Slow(_, addresses) | Answer::Truncated(addresses) => (
            ResponseCode::NoError,
            address_records(&name, kind, &addresses, 60),
        ),
    };
    let soa = answers.is_empty().then(|| {
        let data = SOA::new(Name::root(), Name::root(), 1, 60, 60, 60, NEGATIVE_TTL);
        Record::from_rdata(Name::root(), NEGATIVE_TTL, RData::SOA(data))
    });
    Ok(Some((code, answers, soa)))
}

fn canonical(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
