//! The hash key of a call, for consistent hashing.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use egret_config::model::policy::{HashOn, LoadBalancer};
use egret_config::snapshot::cluster::Cluster;
use http::{HeaderMap, HeaderValue, header};

use crate::upstream::balance::xxhash::xxh64;

/// The hash of a call, and the cookie that lets the client's next calls have the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HashKey {
    /// `None` when the call has nothing to hash: the endpoint is picked at random then.
    pub hash: Option<u64>,
    /// A `set-cookie` for the response, when the policy asks for a cookie and the client has none.
    pub cookie: Option<HeaderValue>,
}

/// The hash policy of a cluster with consistent hashing.
pub fn policy(cluster: &Cluster) -> Option<&HashOn> {
    match &cluster.policy.load_balancer {
        LoadBalancer::ConsistentHash(hash) => Some(&hash.on),
        _ => None,
    }
}

/// The hash of a request. `token` is the value of a new cookie: it must be hard to guess and differ from call to call.
pub fn of_request(
    on: &HashOn,
    headers: &HeaderMap,
    query: Option<&str>,
    client: IpAddr,
    token: u64,
) -> HashKey {
    let hash = match on {
        HashOn::Header(name) => headers.get(&**name).map(|value| hash(value.as_bytes())),
        HashOn::SourceIp => of_address(client),
        HashOn::Query(name) => value_in(query.unwrap_or_default(), name).map(hash),
        HashOn::Cookie {
            name,
            path,
            ttl,
            attributes,
        } => {
            if let Some(value) = cookie(headers, name) {
                Some(hash(value))
            } else if let Some(ttl) = ttl {
                let value = format!("{token:016x}");
                return HashKey {
                    hash: Some(hash(value.as_bytes())),
                    cookie: new_cookie(name, &value, path.as_deref(), *ttl, attributes),
                };
            } else {
                None
            }
        }
    };
    HashKey { hash, cookie: None }
}

/// The hash of a byte stream: only its client's address is known.
pub fn of_stream(on: &HashOn, client: IpAddr) -> Option<u64> {
    match on {
        HashOn::SourceIp => of_address(client),
        HashOn::Header(_) | HashOn::Cookie { .. } | HashOn::Query(_) => None,
    }
}

fn of_address(client: IpAddr) -> Option<u64> {
    Some(hash(client.to_canonical().to_string().as_bytes()))
}

fn hash(bytes: &[u8]) -> u64 {
    xxh64(bytes, 0)
}

fn value_in<'q>(query: &'q str, key: &str) -> Option<&'q [u8]> {
    query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name == key).then_some(value.as_bytes())
    })
}

fn cookie<'h>(headers: &'h HeaderMap, key: &str) -> Option<&'h [u8]> {
    let pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    pairs
        .filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
            let quoted = value
                .strip_prefix(b"\"")
                .and_then(|rest| rest.strip_suffix(b"\""));
            (name == key.as_bytes()).then_some(quoted.unwrap_or(value))
        })
        .next()
}

/// As Envoy writes it; a zero `ttl` is a cookie of the session.
fn new_cookie(
    name: &str,
    value: &str,
    path: Option<&str>,
    ttl: Duration,
    attributes: &[(Arc<str>, Arc<str>)],
) -> Option<HeaderValue> {
    let mut text = format!("{name}=\"{value}\"");
    if !ttl.is_zero() {
        text += &format!("; Max-Age={}", ttl.as_secs());
    }
    if let Some(path) = path {
        text += &format!("; Path={path}");
    }
    for (name, value) in attributes {
        text += &format!("; {name}");
        if !value.is_empty() {
            text += &format!("={value}");
        }
    }
    text += "; HttpOnly";
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));

    fn key(on: &HashOn, headers: &[(&str, &str)], query: Option<&str>) -> HashKey {
        let pair = |(name, value): &(&str, &str)| {
            let name = http::HeaderName::try_from(*name).expect("name");
            (name, HeaderValue::try_from(*value).expect("value"))
        };
        let headers = headers.iter().map(pair).collect();
        of_request(on, &headers, query, CLIENT, 0xabc)
    }

    fn cookie_of(ttl: Option<u64>, path: Option<&str>) -> HashOn {
        HashOn::Cookie {
            name: "user".into(),
            path: path.map(Into::into),
            ttl: ttl.map(Duration::from_secs),
            attributes: Vec::new(),
        }
    }

    #[test]
    fn attributes_of_a_cookie() {
        let HashOn::Cookie {
            name, path, ttl, ..
        } = cookie_of(Some(60), Some("/x"))
        else {
            panic!("a cookie");
        };
        let attributes = [("SameSite", "Strict"), ("Secure", "")];
        let on = HashOn::Cookie {
            name,
            path,
            ttl,
            attributes: attributes
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
        };
        let text =
            "user=\"0000000000000abc\"; Max-Age=60; Path=/x; SameSite=Strict; Secure; HttpOnly";
        assert_eq!(key(&on, &[], None).cookie.expect("cookie"), text);
    }

    #[test]
    fn hash_keys_of_requests() {
        let of = |text: &str| Some(hash(text.as_bytes()));
        let header = HashOn::Header("x-user".into());
        let query = HashOn::Query("u".into());
        let cookie = cookie_of(None, None);
        for (on, headers, question, expected) in [
            (&header, &[("x-user", "jo")][..], None, of("jo")),
            (&header, &[("x-other", "jo")], None, None),
            (&HashOn::SourceIp, &[], None, of("10.0.0.9")),
            (&query, &[], Some("a=b&u=jo"), of("jo")),
            (&query, &[], Some("u"), of("")),
            (&query, &[], None, None),
            (&cookie, &[("cookie", "a=b; user=jo")], None, of("jo")),
            (
                &cookie,
                &[("cookie", "a=b"), ("cookie", "user=\"jo\"")],
                None,
                of("jo"),
            ),
            (&cookie, &[("cookie", "xuser=jo")], None, None),
        ] {
            let key = key(on, headers, question);
            assert_eq!(
                (key.hash, key.cookie),
                (expected, None),
                "{on:?} {headers:?}"
            );
        }
    }

    #[test]
    fn a_client_without_a_cookie_gets_one_that_hashes_alike() {
        for (on, text) in [
            (
                cookie_of(Some(0), None),
                "user=\"0000000000000abc\"; HttpOnly",
            ),
            (
                cookie_of(Some(60), Some("/x")),
                "user=\"0000000000000abc\"; Max-Age=60; Path=/x; HttpOnly",
            ),
        ] {
            let made = key(&on, &[], None);
            assert_eq!(made.cookie.as_ref().expect("cookie"), text);
            let next = key(&on, &[("cookie", "user=\"0000000000000abc\"")], None);
            assert_eq!((next.hash, next.cookie), (made.hash, None));
        }
    }

    #[test]
    fn streams_have_only_an_address() {
        assert!(of_stream(&HashOn::SourceIp, CLIENT).is_some());
        assert_eq!(of_stream(&HashOn::Header("x".into()), CLIENT), None);
    }
}
