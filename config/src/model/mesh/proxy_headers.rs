//! `proxyHeaders` and `gatewayTopology` of ProxyConfig: which headers the proxy adds, and which it removes.

use http::HeaderValue;

use crate::model::read;
use crate::problem::Diagnostics;
use crate::wire::mesh_config as wire;

/// The default value of the `server` header of egret's answers.
const SERVER: HeaderValue = HeaderValue::from_static("egret");

/// Which headers of its own the proxy adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyHeaders {
    /// `server`: the value of every answer's `server` header; `None` leaves the upstream's.
    pub server: Option<HeaderValue>,
    /// `requestId`: an `x-request-id` is made for requests without one.
    pub request_id: bool,
    /// `attemptCount`: `x-envoy-attempt-count` has the number of the attempt.
    pub attempt_count: bool,
    /// `envoyDebugHeaders`: `x-envoy-` headers have service time, expected timeout and what was rewritten.
    pub debug: bool,
    /// `xForwardedHost`: where a route writes another host, `x-forwarded-host` has the client's.
    pub forwarded_host: bool,
    /// `xForwardedPort`: on gateways, `x-forwarded-port` has the port that the client connected to.
    pub forwarded_port: bool,
    /// `forwardedClientCert`, for sidecars; gateways have [`Topology::client_cert`].
    pub client_cert: ClientCert,
}

/// What becomes of `x-forwarded-client-cert`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCert {
    /// `SANITIZE`: removed.
    Remove,
    /// `SANITIZE_SET`: the client's is removed, our own is added where the client has a certificate.
    Replace,
    /// `APPEND_FORWARD`: ours is appended to the client's where the client has a certificate, else it is removed.
    Append,
    /// `FORWARD_ONLY`: kept where the client has a certificate, else removed.
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
            forwarded_host: false,
            forwarded_port: false,
            client_cert: ClientCert::Remove,
        }
    }
}

/// `gatewayTopology` of ProxyConfig: what is in front of gateways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// `numTrustedProxies`: proxies in front of which each adds an address to `x-forwarded-for`.
    pub trusted_proxies: u32,
    /// `forwardClientCertDetails`.
    pub client_cert: ClientCert,
    /// `proxyProtocol`: connections begin with a PROXY header, which names the client.
    pub proxy_protocol: bool,
}

impl Default for Topology {
    fn default() -> Self {
        Self {
            trusted_proxies: 0,
            client_cert: ClientCert::Replace,
            proxy_protocol: false,
        }
    }
}

/// Reads `gatewayTopology`.
pub(crate) fn topology(wire: &wire::Topology, diagnostics: &mut Diagnostics<'_>) -> Topology {
    let default = Topology::default();
    let mode = &wire.forward_client_cert_details;
    Topology {
        trusted_proxies: wire.num_trusted_proxies,
        client_cert: client_cert(diagnostics, "forwardClientCertDetails", mode)
            .unwrap_or(default.client_cert),
        proxy_protocol: wire.proxy_protocol.is_some(),
    }
}

fn client_cert(diagnostics: &mut Diagnostics<'_>, part: &str, mode: &str) -> Option<ClientCert> {
    let modes = [
        ("UNDEFINED", None),
        ("SANITIZE", Some(ClientCert::Remove)),
        ("SANITIZE_SET", Some(ClientCert::Replace)),
        ("APPEND_FORWARD", Some(ClientCert::Append)),
        ("FORWARD_ONLY", Some(ClientCert::Keep)),
        ("ALWAYS_FORWARD_ONLY", Some(ClientCert::KeepAlways)),
    ];
    // What cannot be read is the mode that trusts no client.
    read::enum_value(diagnostics, part, mode, &modes).unwrap_or(Some(ClientCert::Remove))
}

/// Reads `proxyHeaders`.
pub(crate) fn parse(wire: &wire::ProxyHeaders, diagnostics: &mut Diagnostics<'_>) -> ProxyHeaders {
    let mut headers = ProxyHeaders::default();
    if let Some(server) = &wire.server {
        if server.disabled == Some(true) {
            headers.server = None;
        } else if !server.value.is_empty() {
            match HeaderValue::from_str(&server.value) {
                Ok(value) => headers.server = Some(value),
                Err(_) => {
                    let reason = "not the value of a header";
                    diagnostics.error("server.value", &server.value, reason);
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
    let wished = |setting: &Option<wire::HeaderSetting>| {
        setting.as_ref().and_then(|setting| setting.enabled) == Some(true)
    };
    headers.forwarded_host = wished(&wire.x_forwarded_host);
    headers.forwarded_port = wished(&wire.x_forwarded_port);
    let mode = &wire.forwarded_client_cert;
    if let Some(mode) = client_cert(diagnostics, "forwardedClientCert", mode) {
        headers.client_cert = mode;
    }
    headers
}
