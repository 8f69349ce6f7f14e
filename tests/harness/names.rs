//! The world's DNS server: records and failures that a test sets and changes while it runs, and a count of questions.

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::net::TcpListener;
use std::net::UdpSocket;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;

use anyhow::Context;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::Header;
use hickory_server::proto::op::HeaderCounts;
use hickory_server::proto::op::Metadata;
use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::Name;
use hickory_server::proto::rr::RData;
use hickory_server::proto::rr::Record;
use hickory_server::proto::rr::RecordType;
use hickory_server::proto::rr::rdata::SOA;
use hickory_server::server::Request;
use hickory_server::server::RequestHandler;
use hickory_server::server::ResponseHandler;
use hickory_server::server::ResponseInfo;
use hickory_server::server::Server;
use hickory_server::zone_handler::MessageResponseBuilder;
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
    /// No answer at all.
    Silence,
}

/// The handle by which a test rules the DNS server. Clones rule the same server.
#[derive(Clone, Debug, Default)]
pub struct Names {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    answers: HashMap<String, Answer>,
    questions: HashMap<String, usize>,
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
            let Ok(reply) = reply(&question, info.query.query_type(), self.ask(&question)) else {
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

type Reply = (ResponseCode, Vec<Record>, Option<Record>);

fn reply(question: &str, kind: RecordType, answer: Answer) -> anyhow::Result<Option<Reply>> {
    let name = Name::from_str(&format!("{question}.")).context("the question is a name")?;
    let (code, answers) = match answer {
        Answer::Silence => return Ok(None),
        Answer::ServFail => return Ok(Some((ResponseCode::ServFail, Vec::new(), None))),
        Answer::NxDomain => (ResponseCode::NXDomain, Vec::new()),
        Answer::Addresses(addresses, ttl) => {
            let data = addresses
                .into_iter()
                .filter_map(|address| match (kind, address) {
                    (RecordType::A, IpAddr::V4(v4)) => Some(RData::A(v4.into())),
                    (RecordType::AAAA, IpAddr::V6(v6)) => Some(RData::AAAA(v6.into())),
                    _ => None,
                });
            (
                ResponseCode::NoError,
                data.map(|data| Record::from_rdata(name.clone(), ttl, data))
                    .collect(),
            )
        }
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
