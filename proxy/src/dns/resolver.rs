//! Resolves a name to addresses and a TTL. Hickory sends the queries and receives the responses; [`verify`] decides which
//! of their records count.
//!
//! A name is queried as it is, without search domains: hosts of the configuration are complete. `/etc/hosts` is
//! honoured. Nothing is cached here.

mod client;

use std::future::Future;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{Either, select};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use tokio::time::timeout;

use crate::dns::lookup::{Lookup, Reason, Unresolved};
use crate::dns::resolver::client::Client;
use crate::dns::verify;
use crate::dns::verify::Lead;
use crate::lock::lock;
use crate::report::metrics::dns::ResolverCounters;

/// How long to wait for the second family once the first one has addresses (RFC 8305, 3).
const OTHER_FAMILY_MAX: Duration = Duration::from_millis(50);

/// The longest TTL of an answer without the second family, so that the family is queried again soon.
const HALF_ANSWER_TTL_MAX: Duration = Duration::from_secs(10);

/// The time limit for one name, with all attempts and aliases.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// The number of queries for one name and family, where aliases have to be queried in turn.
const QUESTIONS_MAX: usize = 8;

/// A resolver with the name servers of a `resolv.conf`, which is read again when it has changed.
#[derive(Debug)]
pub struct System {
    path: PathBuf,
    current: Mutex<Option<(Vec<u8>, Client)>>,
    /// The queries that were sent.
    pub queries: Arc<ResolverCounters>,
}

impl System {
    /// Uses the name servers of `path`, usually `/etc/resolv.conf`. The file need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            current: Mutex::new(None),
            queries: Arc::default(),
        }
    }

    /// All addresses of a name.
    ///
    /// # Errors
    /// See [`Unresolved`].
    pub async fn ask(&self, name: &Arc<str>) -> Result<Lookup, Unresolved> {
        let client = self
            .client()
            .map_err(|details| Unresolved::new(name, Reason::NoServer, details))?;
        ask(&client, name).await
    }

    fn client(&self) -> Result<Client, String> {
        let path = self.path.display();
        let text = std::fs::read(&self.path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => format!("there is no `{path}` to name a server"),
            _ => format!("cannot read `{path}`: {error}"),
        })?;
        let mut current = lock(&self.current);
        if let Some((read, client)) = &*current
            && *read == text
        {
            return Ok(client.clone());
        }
        let (config, options) = parse_resolv_conf(&text).map_err(|error| {
            format!("`{path}` names no name server that can be queried: {error}")
        })?;
        let client = Client::new(config.name_servers(), options, &self.queries)
            .map_err(|error| format!("the name servers of `{path}` cannot be queried: {error}"))?;
        *current = Some((text, client.clone()));
        Ok(client)
    }
}

async fn ask(client: &Client, name: &Arc<str>) -> Result<Lookup, Unresolved> {
    let answered = timeout(ANSWER_TIME_MAX, ask_both(client, name)).await;
    answered.unwrap_or_else(|_| {
        let details = format!("no answer from {} in time", client.servers());
        Err(Unresolved::new(name, Reason::NoAnswer, details))
    })
}

/// Queries both families at once. The first one with addresses waits at most [`OTHER_FAMILY_MAX`] for the other.
async fn ask_both(client: &Client, name: &Arc<str>) -> Result<Lookup, Unresolved> {
    let full = Name::from_ascii(format!("{name}."))
        .map_err(|error| Unresolved::new(name, Reason::Malformed, error.to_string()))?;
    let v4 = pin!(family(client, &full, name, RecordType::A));
    let v6 = pin!(family(client, &full, name, RecordType::AAAA));
    match select(v4, v6).await {
        Either::Left((v4, v6)) => both(v4, v6).await,
        Either::Right((v6, v4)) => both(v6, v4).await,
    }
    .map(|mut lookup| {
        lookup.addresses.sort_by_key(IpAddr::is_ipv6);
        lookup
    })
}

async fn both(
    first: Result<Lookup, Unresolved>,
    second: impl Future<Output = Result<Lookup, Unresolved>>,
) -> Result<Lookup, Unresolved> {
    match first {
        Ok(mut first) => {
            match timeout(OTHER_FAMILY_MAX, second).await {
                Ok(Ok(second)) => {
                    first.addresses.extend(second.addresses);
                    first.ttl = first.ttl.min(second.ttl);
                }
                Ok(Err(failure)) if failure.reason.is_negative_answer() => {}
                Ok(Err(_)) | Err(_) => first.ttl = first.ttl.min(HALF_ANSWER_TTL_MAX),
            }
            Ok(first)
        }
        // A negative answer for one family does not count when the other family's answer is missing.
        Err(first) if first.reason.is_negative_answer() => match second.await {
            Err(second) if second.reason.is_negative_answer() => Err(first),
            second => second,
        },
        Err(first) => second.await.map_err(|_| first).map(|mut second| {
            second.ttl = second.ttl.min(HALF_ANSWER_TTL_MAX);
            second
        }),
    }
}

/// The addresses of one family. An alias that ends a response is queried in turn.
async fn family(
    client: &Client,
    full: &Name,
    name: &Arc<str>,
    kind: RecordType,
) -> Result<Lookup, Unresolved> {
    if let Some(known) = client.known(full, kind) {
        return known.map_err(|(reason, details)| Unresolved::new(name, reason, details));
    }
    let failed = |reason, details: String| Err(Unresolved::new(name, reason, details));
    let mut aliases = vec![full.clone()];
    let mut ttl = u32::MAX;
    for _ in 0..QUESTIONS_MAX {
        let target = aliases.last().unwrap_or(full).clone();
        let response = client
            .lookup(target, kind)
            .await
            .map_err(|error| client.unresolved(name, &error))?;
        match verify::follow(&mut aliases, kind, &response.answers) {
            Lead::Addresses(addresses, of_answer) => {
                return Ok(Lookup {
                    addresses,
                    ttl: Duration::from_secs(ttl.min(of_answer).into()),
                });
            }
            Lead::Alias(of_answer) => {
                ttl = ttl.min(of_answer);
                let negative_ttl = response.negative_ttl();
                let reason = match response.response_code {
                    ResponseCode::NXDomain => Reason::NoSuchName,
                    _ if negative_ttl.is_some() => Reason::NoAddress,
                    _ => continue,
                };
                return Err(client::negative(name, reason, negative_ttl));
            }
            Lead::OtherTypes => return Err(client::negative(name, Reason::NoAddress, None)),
            Lead::Loop => break,
            Lead::Nothing => {
                let details = format!("{} answers about other names", client.servers());
                return failed(Reason::OtherNames, details);
            }
        }
    }
    failed(Reason::AliasLoop, circle(&aliases))
}

fn circle(aliases: &[Name]) -> String {
    const LISTED: usize = 4;
    let listed = aliases.iter().take(LISTED);
    let mut names: Vec<String> = listed
        .map(|name| name.to_string().trim_end_matches('.').to_owned())
        .collect();
    if aliases.len() > LISTED {
        names.push("...".to_owned());
    }
    format!("its aliases (CNAME) lead nowhere: {}", names.join(" -> "))
}

#[cfg(test)]
mod tests;
