//! One query to the name servers of a `resolv.conf`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{NameServerConfig, ResolverOpts};
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequestOptions, DnsResponse, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, NameServerPool, PoolContext, TlsConfig};
use tokio::time::Instant;

use crate::dns::lookup::{Lookup, Reason, Unresolved};
use crate::dns::transport::Verified;
use crate::report::metrics::dns::{QueryResult, ResolverCounters};

/// The TTL of addresses that need no query.
const LOCAL_TTL: Duration = Duration::from_secs(86_400);

type Pool = NameServerPool<Verified>;

/// The name servers of one `resolv.conf`, and `/etc/hosts` as it was then.
#[derive(Clone)]
pub(super) struct Client {
    /// All name servers; the fastest ones are queried first.
    all: Pool,
    /// Each one alone, when there are several.
    each: Arc<[Pool]>,
    /// Attempts of a query that no server answers.
    attempts: usize,
    options: DnsRequestOptions,
    hosts: Arc<Hosts>,
    /// Their addresses, for log lines.
    servers: Arc<str>,
    /// The queries that were sent.
    queries: Arc<ResolverCounters>,
}

impl Client {
    /// Queries these name servers with `options`.
    pub(super) fn new(
        servers: &[NameServerConfig],
        options: ResolverOpts,
        queries: &Arc<ResolverCounters>,
    ) -> Result<Self, NetError> {
        let mut request = DnsRequestOptions::default();
        request.recursion_desired = options.recursion_desired;
        request.use_edns = options.edns0;
        request.edns_payload_len = options.edns_payload_len;
        let attempts = options.attempts.max(1);
        let context = Arc::new(PoolContext::new(options, TlsConfig::new()?));
        let pool = |servers: &[NameServerConfig]| {
            let servers = servers.iter().cloned();
            Pool::from_config(servers, Arc::clone(&context), Verified::default())
        };
        let names: Vec<String> = servers.iter().map(address).collect();
        Ok(Self {
            all: pool(servers),
            each: match servers {
                [_] => Arc::default(),
                _ => servers.chunks(1).map(pool).collect(),
            },
            attempts,
            options: request,
            hosts: Arc::new(Hosts::from_system().unwrap_or_default()),
            servers: names.join(", ").into(),
            queries: Arc::clone(queries),
        })
    }

    /// The addresses of the name servers.
    pub(super) fn servers(&self) -> &str {
        &self.servers
    }

    /// Results that need no query: `/etc/hosts`, and the names of RFC 6761 (6.3, 6.4) and RFC 7686.
    pub(super) fn known(
        &self,
        name: &Name,
        kind: RecordType,
    ) -> Option<Result<Lookup, (Reason, &'static str)>> {
        let query = Query::query(name.clone(), kind);
        let local = |addresses| Lookup {
            addresses,
            ttl: LOCAL_TTL,
        };
        if let Some(lookup) = self.hosts.lookup_static_host(&query) {
            let records = lookup.answers().iter();
            let addresses = records.filter_map(|record| record.data.ip_addr());
            return Some(Ok(local(addresses.collect())));
        }
        let last = name.iter().next_back()?.to_ascii_lowercase();
        match (&*last, kind) {
            (b"localhost", RecordType::A) => Some(Ok(local(vec![Ipv4Addr::LOCALHOST.into()]))),
            (b"localhost", _) => Some(Ok(local(vec![Ipv6Addr::LOCALHOST.into()]))),
            (b"invalid" | b"onion", _) => Some(Err((
                Reason::NoSuchName,
                "names below .invalid and .onion are never resolved",
            ))),
            _ => None,
        }
    }

    /// The response to one query. A query without an answer is repeated. A query that a server refuses is sent once to each
    /// of the other servers.
    pub(super) async fn lookup(
        &self,
        name: Name,
        kind: RecordType,
    ) -> Result<DnsResponse, NetError> {
        let query = Query::query(name, kind);
        let mut failure = NetError::NoConnections;
        for _ in 0..self.attempts {
            match self.ask(&self.all, &query).await {
                Err(error) if !matches!(error, NetError::Dns(_)) => failure = error,
                Err(NetError::Dns(DnsError::ResponseCode(code))) => {
                    failure = DnsError::ResponseCode(code).into();
                    break;
                }
                answered => return answered,
            }
        }
        if matches!(failure, NetError::Dns(_)) {
            for server in &*self.each {
                match self.ask(server, &query).await {
                    Err(NetError::Dns(DnsError::ResponseCode(_))) => {}
                    Err(error) if !matches!(error, NetError::Dns(_)) => {}
                    answered => return answered,
                }
            }
        }
        Err(failure)
    }

    async fn ask(&self, pool: &Pool, query: &Query) -> Result<DnsResponse, NetError> {
        let began = Instant::now();
        let answered = pool
            .lookup(query.clone(), self.options)
            .first_answer()
            .await;
        self.queries.count(result(&answered), began.elapsed());
        answered
    }

    /// The reason why a query has no answer.
    pub(super) fn unresolved(&self, name: &Arc<str>, error: &NetError) -> Unresolved {
        let servers = &self.servers;
        let (reason, details) = match error {
            NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
                ResponseCode::NXDomain => {
                    return negative(name, Reason::NoSuchName, none.negative_ttl);
                }
                ResponseCode::NoError => {
                    return negative(name, Reason::NoAddress, none.negative_ttl);
                }
                code => return self.of_code(name, code),
            },
            NetError::Dns(DnsError::ResponseCode(code)) => return self.of_code(name, *code),
            NetError::Timeout => (
                Reason::NoAnswer,
                format!("no answer from {servers} in time"),
            ),
            NetError::Io(error) => (Reason::Unreachable, format!("{servers}: {error}")),
            NetError::NoConnections | NetError::Busy => {
                (Reason::Unreachable, format!("{servers}: {error}"))
            }
            _ => (Reason::Malformed, format!("{servers}: {error}")),
        };
        Unresolved::new(name, reason, details)
    }

    fn of_code(&self, name: &Arc<str>, code: ResponseCode) -> Unresolved {
        let servers = &self.servers;
        let (reason, details) = match code {
            ResponseCode::Refused => (
                Reason::Refused,
                format!("{servers} refuses to answer (REFUSED)"),
            ),
            ResponseCode::ServFail => (
                Reason::ServerFailure,
                format!("{servers} failed (SERVFAIL)"),
            ),
            code => (
                Reason::ServerFailure,
                format!("{servers} answers with an error: {code}"),
            ),
        };
        Unresolved::new(name, reason, details)
    }
}

/// The result of a query, for the metrics.
fn result(answered: &Result<DnsResponse, NetError>) -> QueryResult {
    let code = match answered {
        Ok(response) => response.response_code,
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => none.response_code,
        Err(NetError::Dns(DnsError::ResponseCode(code))) => *code,
        Err(NetError::Timeout) => return QueryResult::Timeout,
        Err(_) => return QueryResult::Error,
    };
    match code {
        ResponseCode::NoError => QueryResult::Ok,
        ResponseCode::NXDomain => QueryResult::NxDomain,
        _ => QueryResult::ServFail,
    }
}

/// A negative answer of a name server, with its TTL in seconds.
pub(super) fn negative(name: &Arc<str>, reason: Reason, ttl: Option<u32>) -> Unresolved {
    let details = match reason {
        Reason::NoSuchName => "there is no such name (NXDOMAIN)",
        _ => "the name has records of other types only",
    };
    Unresolved {
        ttl: ttl.map(|seconds| Duration::from_secs(seconds.into())),
        ..Unresolved::new(name, reason, details)
    }
}

fn address(server: &NameServerConfig) -> String {
    let port = server.connections.first().map(|connection| connection.port);
    match port {
        None | Some(53) => server.ip.to_string(),
        Some(port) => std::net::SocketAddr::new(server.ip, port).to_string(),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}
