//! Hop-by-hop headers. A head has few headers and mostly none of these, so all headers are visited once
//! before any is looked up by name.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::decide::normalize::steering;
use crate::decide::normalize::steering::is_of_envoy;
use crate::header_names::{
    FORWARDED_FOR, FORWARDED_PROTO, KEEP_ALIVE, PEER_METADATA, PROXY_CONNECTION,
};
use crate::headers::remove;

/// Removes the hop-by-hop headers of a request, including those that its `connection` header names. `te` stays if
/// it is `trailers`, and `trailer` stays, so that trailers reach the other side.
pub fn strip_request(headers: &mut HeaderMap) {
    if !headers.keys().any(is_of_hop) {
        return;
    }
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|word| HeaderName::from_bytes(word.trim().as_bytes()).ok())
            .filter(|name| !PROTECTED.contains(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    if let Some(te) = headers.get(header::TE) {
        let trailers = te.to_str().is_ok_and(|te| {
            te.split(',')
                .any(|word| word.trim().eq_ignore_ascii_case("trailers"))
        });
        headers.remove(header::TE);
        if trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
    }
    strip_common(headers);
}

/// Removes the hop-by-hop headers of a response, and those for proxies. As in Envoy, those that
/// its `connection` header names stay.
pub fn strip_response(headers: &mut HeaderMap) {
    let (mut hop, mut envoy) = (false, false);
    for name in headers.keys() {
        hop |= is_of_hop(name);
        envoy |= is_of_envoy(name);
    }
    if hop {
        headers.remove(header::CONNECTION);
        strip_common(headers);
    }
    if envoy {
        steering::remove(headers, &PEER_METADATA);
    }
}

/// Headers that a client cannot have removed by naming them in `connection`.
static PROTECTED: [HeaderName; 8] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TE,
    header::TRAILER,
    header::AUTHORIZATION,
    header::COOKIE,
    FORWARDED_FOR,
    FORWARDED_PROTO,
];

fn is_of_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "te" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
    )
}

fn strip_common(headers: &mut HeaderMap) {
    remove(headers, &KEEP_ALIVE);
    remove(headers, &PROXY_CONNECTION);
    remove(headers, &header::TRANSFER_ENCODING);
    remove(headers, &header::UPGRADE);
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;
    use crate::decide::normalize::tests::map;

    #[test]
    fn what_belongs_to_the_hop_is_taken_out() {
        let mut headers = map(&[
            ("connection", "keep-alive, x-secret, Host"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("x-secret", "1"),
            ("host", "a.test"),
            ("te", "gzip, Trailers"),
            ("trailer", "x-sum"),
            ("accept", "*/*"),
        ]);
        strip_request(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "host", "te", "trailer"]);
        assert_eq!(headers[header::TE], "trailers");
    }

    #[test]
    fn te_without_trailers_goes() {
        let mut headers = map(&[("te", "gzip")]);
        strip_request(&mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn a_response_keeps_what_its_connection_header_names() {
        let mut headers = map(&[
            ("connection", "x-a"),
            ("x-a", "1"),
            ("transfer-encoding", "chunked"),
            ("x-envoy-peer-metadata", "of a proxy"),
            ("x-envoy-peer-metadata-id", "sidecar"),
        ]);
        strip_response(&mut headers);
        assert_eq!(headers, map(&[("x-a", "1")]));
    }
}
