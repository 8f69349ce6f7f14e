//! `consistentHash` of a load balancer.

use std::sync::Arc;
use std::time::Duration;

use crate::model::read;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::destination_rule as wire;

/// `consistentHash`: equal calls go to equal endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistentHash {
    /// What is hashed.
    pub on: HashOn,
    /// Where hashes lead.
    pub table: HashTable,
}

/// Where hashes lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashTable {
    /// `ringHash`, the default.
    Ring {
        /// `minimumRingSize`, default 1024.
        size_min: u64,
    },
    /// `maglev`.
    Maglev {
        /// `tableSize`, a prime; default 65537.
        size: u64,
    },
}

/// What `consistentHash` hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashOn {
    /// `httpHeaderName`, lower case.
    Header(Arc<str>),
    /// `httpCookie`.
    Cookie {
        /// Its name.
        name: Arc<str>,
        /// Its path.
        path: Option<Arc<str>>,
        /// Its life; a cookie is made when the client has none. Zero: a session cookie.
        ttl: Option<Duration>,
        /// `attributes` of a cookie that is made, such as `SameSite`; a value may be empty.
        attributes: Vec<(Arc<str>, Arc<str>)>,
    },
    /// `useSourceIp`.
    SourceIp,
    /// `httpQueryParameterName`.
    Query(Arc<str>),
}

/// Reads `consistentHash`; `None` where it has not exactly one hash source.
pub(super) fn parse(
    wire: &wire::ConsistentHash,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<ConsistentHash> {
    if wire.ring_hash.is_some() && wire.maglev.is_some() {
        diagnostics.error("maglev", NO_VALUE, "only one of ringHash and maglev");
    }
    if wire.minimum_ring_size != 0 {
        let size = wire.minimum_ring_size;
        if wire.ring_hash.is_some() || wire.maglev.is_some() {
            let message = ("contradicts ringHash and maglev", "leave it out");
            diagnostics.error("minimumRingSize", size, message);
        } else {
            let message = ("the old form", "write ringHash.minimumRingSize");
            diagnostics.warn("minimumRingSize", size, message);
        }
    }
    let table = match (&wire.maglev, &wire.ring_hash) {
        (Some(maglev), _) => HashTable::Maglev {
            size: table_size(maglev.table_size, diagnostics),
        },
        (None, ring) => HashTable::Ring {
            size_min: ring_size(ring.as_ref(), wire.minimum_ring_size, diagnostics),
        },
    };
    hash_on(wire, diagnostics).map(|on| ConsistentHash { on, table })
}

/// Envoy's bounds and default.
fn ring_size(ring: Option<&wire::RingHash>, old: u64, diagnostics: &mut Diagnostics<'_>) -> u64 {
    const MAX: u64 = 8 << 20;
    let (part, size) = match ring {
        Some(ring) => ("ringHash.minimumRingSize", ring.minimum_ring_size),
        None => ("minimumRingSize", old),
    };
    match size {
        0 => 1024,
        size if size > MAX => {
            diagnostics.error(part, size, "expected 8388608 at most");
            1024
        }
        size => size,
    }
}

/// Envoy's bounds and default; slots are visited in steps, so their number must be a prime.
fn table_size(size: u64, diagnostics: &mut Diagnostics<'_>) -> u64 {
    const USUAL: u64 = 65537;
    const END: u64 = 5_000_011;
    let is_prime = |number: u64| {
        number > 1 && (2..=number.isqrt()).all(|divisor| !number.is_multiple_of(divisor))
    };
    match size {
        size if size < END && is_prime(size) => size,
        size => {
            diagnostics.error(
                "maglev.tableSize",
                size,
                "expected a prime number below 5000011, such as 65537",
            );
            USUAL
        }
    }
}

fn hash_on(wire: &wire::ConsistentHash, diagnostics: &mut Diagnostics<'_>) -> Option<HashOn> {
    let header = wire
        .http_header_name
        .as_ref()
        .map(|name| HashOn::Header(name.to_ascii_lowercase().into()));
    let query = wire
        .http_query_parameter_name
        .as_ref()
        .map(|name| HashOn::Query(name.as_str().into()));
    let source = wire
        .use_source_ip
        .unwrap_or_default()
        .then_some(HashOn::SourceIp);
    let cookie = wire.http_cookie.as_ref().map(|cookie| {
        if cookie.name.is_empty() {
            diagnostics.error("httpCookie.name", NO_VALUE, "required");
        }
        HashOn::Cookie {
            name: cookie.name.as_str().into(),
            path: read::optional(&cookie.path),
            ttl: read::duration(diagnostics, "httpCookie.ttl", cookie.ttl.as_ref()),
            attributes: attributes(&cookie.attributes, diagnostics),
        }
    });
    let mut keys = [header, cookie, source, query].into_iter().flatten();
    match (keys.next(), keys.next()) {
        (Some(only), None) => Some(only),
        _ => {
            diagnostics.error(
                "",
                NO_VALUE,
                "exactly one of httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName",
            );
            None
        }
    }
}

/// Attributes that can be written into a `Set-Cookie` header.
fn attributes(
    wire: &[wire::CookieAttribute],
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<(Arc<str>, Arc<str>)> {
    let fits = |text: &str| {
        text.bytes()
            .all(|byte| (b' '..=b'~').contains(&byte) && byte != b';')
    };
    diagnostics.each("httpCookie.attributes", wire, |diagnostics, wire| {
        if wire.name.is_empty() || !fits(&wire.name) || !fits(&wire.value) {
            let text = format!("{}={}", wire.name, wire.value);
            let message = "not an attribute of a cookie: expected a name such as `SameSite`, without semicolons";
            diagnostics.error("", text, message);
            return None;
        }
        Some((wire.name.as_str().into(), wire.value.as_str().into()))
    })
}
