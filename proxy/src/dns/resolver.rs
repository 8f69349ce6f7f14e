//! Hickory behind our one question: which addresses has a name, and for how long.
//!
//! A name is asked for as it is, never below search domains: hosts of the configuration are complete. `/etc/hosts` is
//! honoured. Nothing is cached here.

use std::future::Future;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use thiserror::Error;
use tokio::time::timeout;

/// How long the second family's answer is waited for once the first one has come with addresses (RFC 8305, 3).
const OTHER_FAMILY_MAX: Duration = Duration::from_millis(50);

/// How long an answer without the second family counts at most, so that the family is asked for again soon.
const HALF_ANSWER_TTL_MAX: Duration = Duration::from_secs(10);

/// What a name server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// All addresses, IPv6 after IPv4, without repeats, in the server's order.
    pub addresses: Vec<IpAddr>,
    /// For how long, as the server says.
    pub ttl: Duration,
}

/// Why a name has no addresses.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unresolved {
    /// The name server says that there is no such name, or that it has no address.
    #[error("`{name}` has no address: {why}")]
    NoAddress {
        /// The name asked for.
        name: Arc<str>,
        /// No such name, or only records of other types.
        why: &'static str,
        /// For how long, as the server says.
        ttl: Option<Duration>,
    },
    /// No answer, or an answer that says nothing about the name.
    #[error("`{name}` cannot be resolved: {why}")]
    Failed {
        /// The name asked for.
        name: Arc<str>,
        /// No name server, no answer in time, a server's failure.
        why: Arc<str>,
    },
}

/// Asks the name servers of a `resolv.conf`, which is read again when it has changed.
#[derive(Debug)]
pub struct System {
    path: PathBuf,
    current: Mutex<Option<(Vec<u8>, TokioResolver)>>,
}

impl System {
    /// Asks the name servers that `path`, usually `/etc/resolv.conf`, names. It need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            current: Mutex::new(None),
        }
    }

    /// All addresses of a name.
    ///
    /// # Errors
    /// See [`Unresolved`].
    pub async fn ask(&self, name: &Arc<str>) -> Result<Found, Unresolved> {
        let resolver = self.resolver().map_err(|why| failed(name, why))?;
        ask(&resolver, name).await
    }

    fn resolver(&self) -> Result<TokioResolver, String> {
        let path = self.path.display();
        let text = std::fs::read(&self.path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => format!("there is no `{path}` to name a server"),
            _ => format!("cannot read `{path}`: {error}"),
        })?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read, resolver)) = &*current
            && *read == text
        {
            return Ok(resolver.clone());
        }
        let (config, options) =
            parse_resolv_conf(&text).map_err(|error| format!("`{path}` is of no use: {error}"))?;
        let resolver = resolver(config, options).map_err(|error| error.to_string())?;
        *current = Some((text, resolver.clone()));
        Ok(resolver)
    }
}

fn resolver(config: ResolverConfig, options: ResolverOpts) -> Result<TokioResolver, NetError> {
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.options_mut().cache_size = 0;
    builder.build()
}

/// Asks for both families at once. The first one with addresses does not wait long for the other.
async fn ask(resolver: &TokioResolver, name: &Arc<str>) -> Result<Found, Unresolved> {
    let full = Name::from_ascii(format!("{name}.")).map_err(|error| failed(name, error))?;
    let v4 = pin!(family(resolver, &full, name, RecordType::A));
    let v6 = pin!(family(resolver, &full, name, RecordType::AAAA));
    match select(v4, v6).await {
        Either::Left((v4, v6)) => both(v4, v6).await,
        Either::Right((v6, v4)) => both(v6, v4).await,
    }
    .map(|mut found| {
        found.addresses.sort_by_key(IpAddr::is_ipv6);
        found
    })
}

async fn both(
    first: Result<Found, Unresolved>,
    second: impl Future<Output = Result<Found, Unresolved>>,
) -> Result<Found, Unresolved> {
    match first {
        Ok(mut first) => {
            match timeout(OTHER_FAMILY_MAX, second).await {
                Ok(Ok(second)) => {
                    first.addresses.extend(second.addresses);
                    first.ttl = first.ttl.min(second.ttl);
                }
                Ok(Err(Unresolved::NoAddress { .. })) => {}
                Ok(Err(Unresolved::Failed { .. })) | Err(_) => {
                    first.ttl = first.ttl.min(HALF_ANSWER_TTL_MAX)
                }
            }
            Ok(first)
        }
        // That one family has no address says little when the other one's answer is missing.
        Err(first @ Unresolved::NoAddress { .. }) => match second.await {
            Err(Unresolved::NoAddress { .. }) => Err(first),
            second => second,
        },
        Err(first) => second.await.map_err(|_| first).map(|mut second| {
            second.ttl = second.ttl.min(HALF_ANSWER_TTL_MAX);
            second
        }),
    }
}

async fn family(
    resolver: &TokioResolver,
    full: &Name,
    name: &Arc<str>,
    kind: RecordType,
) -> Result<Found, Unresolved> {
    let lookup = match resolver.lookup(full.clone(), kind).await {
        Ok(lookup) => lookup,
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            let why = match none.response_code {
                ResponseCode::NXDomain => "there is no such name",
                ResponseCode::NoError => "the name has records of other types only",
                code => return Err(failed(name, code)),
            };
            let ttl = none
                .negative_ttl
                .map(|seconds| Duration::from_secs(seconds.into()));
            return Err(Unresolved::NoAddress {
                name: name.clone(),
                why,
                ttl,
            });
        }
        Err(error) => return Err(failed(name, error)),
    };
    let mut addresses = Vec::new();
    for address in lookup
        .answers()
        .iter()
        .filter_map(|record| record.data.ip_addr())
    {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        let why = "the name has records of other types only";
        return Err(Unresolved::NoAddress {
            name: name.clone(),
            why,
            ttl: None,
        });
    }
    let seconds = lookup
        .answers()
        .iter()
        .map(|record| record.ttl)
        .min()
        .unwrap_or(0);
    Ok(Found {
        addresses,
        ttl: Duration::from_secs(seconds.into()),
    })
}

fn failed(name: &Arc<str>, why: impl ToString) -> Unresolved {
    Unresolved::Failed {
        name: name.clone(),
        why: why.to_string().into(),
    }
}

#[cfg(test)]
mod tests;
