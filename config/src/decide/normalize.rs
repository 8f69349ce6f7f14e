//! Normalizes an HTTP request head for decisions and for the upstream: one host, a regular path, no hop-by-hop headers,
//! and of the headers about the client only those that it may send.

pub mod downstream;
pub mod forwarded;
pub mod hop;
pub mod limits;
mod steering;
mod target;
mod upgrade;

use http::header::Entry;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Version};

use crate::decide::bad_request::BadRequest;
use crate::decide::call::{Request, path_for_rules};
use crate::decide::normalize::downstream::Downstream;
use crate::decide::normalize::forwarded::Edge;
use crate::header_names::{FORWARDED_PROTO, REQUEST_ID};
use crate::headers::value_of;
use crate::snapshot::Snapshot;
use crate::snapshot::workload::Mode;

/// A request head that may be decided and sent on.
#[derive(Debug)]
pub struct NormalizedRequest {
    /// Method, target as sent, version, extensions; the headers without hop-by-hop ones, with the proxy's own.
    pub parts: Parts,
    /// The one host, which the headers contain, too.
    pub authority: HeaderValue,
    /// The regular path and query; `*` for `OPTIONS *`.
    pub path: PathAndQuery,
    /// The protocol that the connection is to become, as the client spells it.
    pub upgrade: Option<HeaderValue>,
}

/// A request head that breaks a rule of HTTP.
#[derive(Debug)]
pub struct RejectedHead {
    /// The rule.
    pub reason: BadRequest,
    /// The head as the client sent it, except for its host.
    pub parts: Parts,
}

/// Normalizes the head of a request, CONNECT excepted. `request_id` makes an `x-request-id`, where one is to be added.
///
/// # Errors
/// The first rule of HTTP that the request breaks.
pub fn normalize(
    mut parts: Parts,
    downstream: &Downstream<'_>,
    snapshot: &Snapshot,
    request_id: impl FnOnce() -> Option<HeaderValue>,
) -> Result<NormalizedRequest, Box<RejectedHead>> {
    let target = match read_target(&mut parts, downstream, snapshot) {
        Ok(target) => target,
        Err(reason) => return Err(Box::new(RejectedHead { reason, parts })),
    };
    let Target {
        authority,
        path,
        upgrade,
    } = target;
    hop::strip_request(&mut parts.headers);
    if snapshot.mesh.proxy_headers.request_id
        && let Entry::Vacant(entry) = parts.headers.entry(REQUEST_ID)
        && let Some(id) = request_id()
    {
        entry.insert(id);
    }
    forward_client(&mut parts, downstream, snapshot);
    Ok(NormalizedRequest {
        parts,
        authority,
        path,
        upgrade,
    })
}

/// The target of a request head.
struct Target {
    authority: HeaderValue,
    path: PathAndQuery,
    upgrade: Option<HeaderValue>,
}

/// Checks a head, and reads its target. The headers are left with one host.
fn read_target(
    parts: &mut Parts,
    downstream: &Downstream<'_>,
    snapshot: &Snapshot,
) -> Result<Target, BadRequest> {
    limits::few(&parts.headers)?;
    limits::known_coding(&parts.headers)?;
    let upgrade = upgrade::requested(&parts.headers)?;
    if parts.version < Version::HTTP_11 && parts.uri.authority().is_none() {
        forwarded::ensure_host(&mut parts.headers, downstream.arrival.original_dst);
    }
    let secure = downstream.terminated.is_some();
    let authority = target::take_authority(&parts.uri, parts.version, secure, &mut parts.headers)?;
    let how = snapshot.mesh.path_normalization;
    let path = target::take_path(&parts.method, &parts.uri, how)?;
    Ok(Target {
        authority,
        path,
        upgrade,
    })
}

/// Adds headers about the client, and removes those that the client may not send.
fn forward_client(parts: &mut Parts, downstream: &Downstream<'_>, snapshot: &Snapshot) {
    let (headers, scheme) = (&mut parts.headers, downstream.scheme());
    let own = &snapshot.mesh.proxy_headers;
    let client_cert = downstream.client_cert;
    match snapshot.workload.mode {
        Mode::Sidecar => {
            forwarded::forward_client_cert(headers, own.client_cert, client_cert);
            forwarded::from_sidecar(headers, scheme);
        }
        Mode::Gateway => {
            let topology = &snapshot.mesh.topology;
            forwarded::forward_client_cert(headers, topology.client_cert, client_cert);
            let edge = Edge {
                scheme,
                client: downstream.arrival.client.ip(),
                port: own
                    .forwarded_port
                    .then_some(downstream.arrival.local.port()),
                topology,
            };
            forwarded::from_gateway(headers, edge);
        }
    }
}

impl NormalizedRequest {
    /// The input of [`crate::decide::request`] for this request, which came on `downstream`.
    pub fn question<'c>(&'c self, downstream: &Downstream<'c>) -> Request<'c> {
        let headers = &self.parts.headers;
        let forwarded = value_of(headers, &FORWARDED_PROTO).and_then(|scheme| scheme.to_str().ok());
        // Of HTTP/1, only a URL has a scheme of its own for its target.
        let scheme = self.parts.uri.scheme_str().or(forwarded);
        Request {
            arrival: downstream.arrival,
            terminated: downstream.terminated,
            method: self.parts.method.as_str(),
            scheme: scheme.unwrap_or(downstream.scheme()),
            authority: self.authority.to_str().unwrap_or_default(),
            path: path_for_rules(self.path.as_str()),
            headers,
        }
    }
}

#[cfg(test)]
mod tests;
