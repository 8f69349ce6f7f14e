//! `VirtualService`, networking.istio.io.

use std::collections::BTreeMap;

use super::shared::{Destination, Percent};

object! {
    /// `spec` of a VirtualService.
    pub struct VirtualService {
        pub hosts: Vec<String>,
        pub gateways: Vec<String>,
        pub http: Vec<HttpRoute>,
        pub tls: Vec<TlsRoute>,
        pub tcp: Vec<TcpRoute>,
        pub export_to: Vec<String>,
    }
}

object! {
    /// `HTTPRoute`.
    pub struct HttpRoute {
        pub name: String,
        pub matches as "match": Vec<HttpMatch>,
        pub route: Vec<HttpRouteDestination>,
        pub redirect: Option<HttpRedirect>,
        pub direct_response: Option<HttpDirectResponse>,
        pub delegate: Option<Delegate>,
        pub rewrite: Option<HttpRewrite>,
        pub timeout: Option<String>,
        pub retries: Option<HttpRetry>,
        pub fault: Option<HttpFault>,
        pub mirror: Option<Destination>,
        pub mirrors: Vec<HttpMirror>,
        pub mirror_percent: Option<u32>,
        pub mirror_percentage: Option<Percent>,
        pub cors_policy: Option<CorsPolicy>,
        pub headers: Option<Headers>,
    }
}

object! {
    /// `HTTPMatchRequest`.
    pub struct HttpMatch {
        pub name: String,
        pub uri: Option<StringMatch>,
        pub scheme: Option<StringMatch>,
        pub method: Option<StringMatch>,
        pub authority: Option<StringMatch>,
        pub headers: BTreeMap<String, Option<StringMatch>>,
        pub without_headers: BTreeMap<String, Option<StringMatch>>,
        pub query_params: BTreeMap<String, Option<StringMatch>>,
        pub ignore_uri_case: bool,
        pub port: u32,
        pub source_labels: BTreeMap<String, String>,
        pub source_namespace: String,
        pub gateways: Vec<String>,
        pub stat_prefix: String,
    }
}

object! {
    /// `StringMatch`: one of three, or none for presence.
    pub struct StringMatch {
        pub exact: Option<String>,
        pub prefix: Option<String>,
        pub regex: Option<String>,
    }
}

object! {
    /// `HTTPRouteDestination`.
    pub struct HttpRouteDestination {
        pub destination: Option<Destination>,
        pub weight: i32,
        pub headers: Option<Headers>,
    }
}

object! {
    /// `Headers`.
    pub struct Headers {
        pub request: Option<HeaderOperations>,
        pub response: Option<HeaderOperations>,
    }
}

object! {
    /// `Headers.HeaderOperations`.
    pub struct HeaderOperations {
        pub set: BTreeMap<String, String>,
        pub add: BTreeMap<String, String>,
        pub remove: Vec<String>,
    }
}

object! {
    /// `HTTPRedirect`.
    pub struct HttpRedirect {
        pub uri: String,
        pub prefix_rewrite: String,
        pub authority: String,
        pub port: Option<u32>,
        pub derive_port: String,
        pub scheme: String,
        pub redirect_code: u32,
    }
}

object! {
    /// `HTTPDirectResponse`.
    pub struct HttpDirectResponse {
        pub status: u32,
        pub body: Option<HttpBody>,
    }
}

object! {
    /// `HTTPBody`; `bytes` are base64.
    pub struct HttpBody {
        pub string: Option<String>,
        pub bytes: Option<String>,
    }
}

object! {
    /// `Delegate`.
    pub struct Delegate {
        pub name: String,
        pub namespace: String,
    }
}

object! {
    /// `HTTPRewrite`.
    pub struct HttpRewrite {
        pub uri: String,
        pub authority: String,
        pub uri_regex_rewrite: Option<RegexRewrite>,
    }
}

object! {
    /// `RegexRewrite`.
    pub struct RegexRewrite {
        pub matches as "match": String,
        pub rewrite: String,
    }
}

object! {
    /// `HTTPRetry`.
    pub struct HttpRetry {
        pub attempts: i32,
        pub per_try_timeout: Option<String>,
        pub retry_on: String,
        pub retry_remote_localities: Option<bool>,
        pub retry_ignore_previous_hosts: Option<bool>,
        pub backoff: Option<String>,
    }
}

object! {
    /// `HTTPMirrorPolicy`.
    pub struct HttpMirror {
        pub destination: Option<Destination>,
        pub percentage: Option<Percent>,
    }
}

object! {
    /// `CorsPolicy`.
    pub struct CorsPolicy {
        pub allow_origin: Vec<String>,
        pub allow_origins: Vec<StringMatch>,
        pub allow_methods: Vec<String>,
        pub allow_headers: Vec<String>,
        pub expose_headers: Vec<String>,
        pub max_age: Option<String>,
        pub allow_credentials: Option<bool>,
        pub unmatched_preflights: String,
    }
}

object! {
    /// `HTTPFaultInjection`.
    pub struct HttpFault {
        pub delay: Option<FaultDelay>,
        pub abort: Option<FaultAbort>,
    }
}

object! {
    /// `HTTPFaultInjection.Delay`.
    pub struct FaultDelay {
        pub percent: i32,
        pub fixed_delay: Option<String>,
        pub exponential_delay: Option<String>,
        pub percentage: Option<Percent>,
    }
}

object! {
    /// `HTTPFaultInjection.Abort`.
    pub struct FaultAbort {
        pub percent: i32,
        pub http_status: Option<i32>,
        pub grpc_status: Option<String>,
        pub http2_error: Option<String>,
        pub percentage: Option<Percent>,
    }
}

object! {
    /// `TLSRoute`.
    pub struct TlsRoute {
        pub matches as "match": Vec<TlsMatch>,
        pub route: Vec<RouteDestination>,
    }
}

object! {
    /// `TLSMatchAttributes`.
    pub struct TlsMatch {
        pub sni_hosts: Vec<String>,
        pub destination_subnets: Vec<String>,
        pub port: u32,
        pub source_labels: BTreeMap<String, String>,
        pub gateways: Vec<String>,
        pub source_namespace: String,
        pub source_subnet: String,
    }
}

object! {
    /// `TCPRoute`.
    pub struct TcpRoute {
        pub matches as "match": Vec<L4Match>,
        pub route: Vec<RouteDestination>,
    }
}

object! {
    /// `L4MatchAttributes`.
    pub struct L4Match {
        pub destination_subnets: Vec<String>,
        pub port: u32,
        pub source_subnet: String,
        pub source_labels: BTreeMap<String, String>,
        pub gateways: Vec<String>,
        pub source_namespace: String,
    }
}

object! {
    /// `RouteDestination`.
    pub struct RouteDestination {
        pub destination: Option<Destination>,
        pub weight: i32,
    }
}
