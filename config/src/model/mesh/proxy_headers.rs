//! `proxyHeaders` of ProxyConfig: which headers the proxy itself puts in, and which it takes out.

use http::HeaderValue;

use crate::model::read;
use crate::problem::Review;
use crate::wire::mesh_config as wire;

/// The name that egret signs its answers with unless told otherwise.
const SERVER: HeaderValue = HeaderValue::from_static("egret");

/// Which headers of its own the proxy adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyHeaders {
    /// `server`: what every answer's `server` header says; `None` leaves the upstream's.
    pub server: Option<HeaderValue>,
    /// `requestId`: an `x-request-id` is made for requests without one.
    pub request_id: bool,
    /// `attemptCount`: `x-envoy-attempt-count` tells the upstream which try it sees.
    pub attempt_count: bool,
    /// `envoyDebugHeaders`: service time, expected timeout and what was rewritten are told in `x-envoy-` headers.
    pub debug: bool,
    /// `forwardedClientCert`; `None` is the default of the proxy's kind.
    pub client_cert: Option<ClientCert>,
}

/// What becomes of `x-forwarded-client-cert`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCert {
    /// `SANITIZE`: taken out.
    Remove,
    /// `SANITIZE_SET`: the caller's is taken out, our own is put in where the caller showed a certificate.
    Replace,
    /// `APPEND_FORWARD`: ours is added to the caller's where the caller showed a certificate, else taken out.
    Append,
    /// `FORWARD_ONLY`: kept where the caller showed a certificate, else taken out.
    Keep,
    /// `ALWAYS_FORWARD_ONLY`: kept.
    KeepAlways,
}

impl Default for ProxyHeaders {
    fn default() -> Self {
        Self {
            server: Some(SERVER),
            request_id: true,
            attempt_count: true,
            debug: true,
            client_cert: None,
        }
    }
}

/// Reads `proxyHeaders`.
pub(crate) fn parse(wire: &wire::ProxyHeaders, review: &mut Review<'_>) -> ProxyHeaders {
    let mut headers = ProxyHeaders::default();
    if let Some(server) = &wire.server {
        if server.disabled == Some(true) {
            headers.server = None;
        } else if !server.value.is_empty() {
            match HeaderValue::from_str(&server.value) {
                Ok(value) => headers.server = Some(value),
                Err(_) => {
                    let words = "not the value of a header";
                    review.error("server.value", &server.value, words);
                }
            }
        }
    }
    let enabled = |switch: &Option<wire::HeaderSwitch>| {
        switch.as_ref().and_then(|switch| switch.disabled) != Some(true)
    };
    headers.request_id = enabled(&wire.request_id);
    headers.attempt_count = enabled(&wire.attempt_count);
    headers.debug = enabled(&wire.envoy_debug_headers);
    let modes = [
        ("UNDEFINED", None),
        ("SANITIZE", Some(ClientCert::Remove)),
        ("SANITIZE_SET", Some(ClientCert::Replace)),
        ("APPEND_FORWARD", Some(ClientCert::Append)),
        ("FORWARD_ONLY", Some(ClientCert::Keep)),
        ("ALWAYS_FORWARD_ONLY", Some(ClientCert::KeepAlways)),
    ];
    let mode = &wire.forwarded_client_cert;
    headers.client_cert = read::word(review, "forwardedClientCert", mode, &modes).flatten();
    headers
}
