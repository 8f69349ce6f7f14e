//! The headers about a request's client, `x-forwarded-*`, which the proxy adds, trusts or removes.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::address::OriginalDestination;
use crate::decide::normalize::steering::{take_claims, take_steering};
use crate::header_names::{
    CLIENT_CERT, EXTERNAL_ADDRESS, FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PORT, FORWARDED_PROTO,
};
use crate::headers::remove;
use crate::model::mesh::{ClientCert, Topology};

/// Gives a request of HTTP/1.0 without host, which needs none, its original destination as host.
pub fn ensure_host(headers: &mut HeaderMap, to: OriginalDestination) {
    if !headers.contains_key(header::HOST)
        && let Ok(host) = HeaderValue::from_str(&to.to_string())
    {
        headers.insert(header::HOST, host);
    }
}

/// The headers of a sidecar about the client: `x-forwarded-proto` stays if present, `x-forwarded-for` is left alone.
pub fn from_sidecar(headers: &mut HeaderMap, scheme: &'static str) {
    take_steering(headers);
    headers
        .entry(FORWARDED_PROTO)
        .or_insert_with(|| HeaderValue::from_static(scheme));
}

/// The connection that a gateway got a request on.
#[derive(Clone, Copy, Debug)]
pub struct Edge<'e> {
    /// `https` or `http`.
    pub scheme: &'static str,
    /// The client's address.
    pub client: IpAddr,
    /// The port that the client connected to, where it is to be forwarded.
    pub port: Option<u16>,
    /// What is in front of the gateway.
    pub topology: &'e Topology,
}

/// The headers of a gateway about the client: the protocol, and the client's address appended. A client's own headers
/// of Envoy's names are removed; where trusted proxies are in front, their headers are kept.
pub fn from_gateway(headers: &mut HeaderMap, edge: Edge<'_>) {
    take_steering(headers);
    take_claims(headers);
    let hops = edge.topology.trusted_proxies as usize;
    let reported = (hops > 0).then(|| forwarded_for(headers, hops)).flatten();
    let external = reported.unwrap_or(edge.client);
    if let Ok(address) = HeaderValue::from_str(&external.to_string()) {
        headers.insert(EXTERNAL_ADDRESS, address);
    }
    if hops == 0 || !headers.contains_key(FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(edge.scheme));
    }
    if let Some(port) = edge.port
        && (hops == 0 || !headers.contains_key(FORWARDED_PORT))
    {
        headers.insert(FORWARDED_PORT, HeaderValue::from(port));
    }
    append_client(headers, edge.client);
}

/// The address at index `hop` from the end of `x-forwarded-for`, 1 for the last.
fn forwarded_for(headers: &HeaderMap, hop: usize) -> Option<IpAddr> {
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut addresses = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.rsplit(','));
    addresses.nth(hop - 1)?.trim().parse().ok()
}

/// Sets or removes `x-forwarded-client-cert`, as the mesh configures it. `certificate`
/// is the element for the client's certificate.
pub fn forward_client_cert(
    headers: &mut HeaderMap,
    mode: ClientCert,
    certificate: Option<&HeaderValue>,
) {
    match (mode, certificate) {
        (ClientCert::KeepAlways, _) | (ClientCert::Keep, Some(_)) => {}
        (ClientCert::Append, Some(certificate)) => {
            append(headers, &CLIENT_CERT, certificate.as_bytes())
        }
        (ClientCert::Replace, Some(certificate)) => {
            headers.insert(CLIENT_CERT, certificate.clone());
        }
        (ClientCert::Remove, _) | (_, None) => {
            remove(headers, &CLIENT_CERT);
        }
    }
}

/// Adds the host of the client's request, where it was rewritten.
pub fn append_host(headers: &mut HeaderMap, host: &HeaderValue) {
    append(headers, &FORWARDED_HOST, host.as_bytes());
}

/// Adds an address to `x-forwarded-for`, as one line.
pub fn append_client(headers: &mut HeaderMap, client: IpAddr) {
    append(headers, &FORWARDED_FOR, client.to_string().as_bytes());
}

/// Adds a value to the list of a header, which becomes one line.
fn append(headers: &mut HeaderMap, name: &HeaderName, value: &[u8]) {
    let mut list = Vec::new();
    for line in headers.get_all(name) {
        if !line.is_empty() {
            list.extend_from_slice(line.as_bytes());
            list.extend_from_slice(b",");
        }
    }
    list.extend_from_slice(value);
    if let Ok(value) = HeaderValue::try_from(list) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
