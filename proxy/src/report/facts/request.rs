//! The facts about the request of a call.

use egret_config::header_names::{
    FORWARDED_FOR, ORIGINAL_HOST, ORIGINAL_PATH, REQUEST_ID, SERVICE_TIME,
};
use egret_config::headers::value_of;
use http::header::USER_AGENT;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use crate::report::facts::captured::Part;

/// The request's head, normalized; that of a bad request is as the client sent it.
#[derive(Clone, Debug, Default)]
pub struct RequestFacts {
    /// The method.
    pub method: Option<Method>,
    /// Path and query before any rewrite.
    pub path: Option<PathAndQuery>,
    /// Path and query as they were sent upstream, where a route rewrote them.
    pub rewritten_path: Option<PathAndQuery>,
    /// The client's version of HTTP.
    pub protocol: Option<Version>,
    /// The Host header or `:authority`, as it was sent upstream.
    pub authority: Option<AuthorityFact>,
    /// The same before a route rewrote it, where one did.
    pub original_authority: Option<AuthorityFact>,
    /// Whether it is a gRPC call.
    pub grpc: bool,
    /// `user-agent`.
    pub user_agent: Option<HeaderValue>,
    /// `x-forwarded-for`.
    pub x_forwarded_for: Option<HeaderValue>,
    /// `x-request-id`, the client's or ours.
    pub request_id: Option<HeaderValue>,
}

/// Where a request names its host. Either is a shared text, so that nothing is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorityFact {
    /// In the Host header.
    Header(HeaderValue),
    /// In its target: `:authority`, or an absolute URL.
    Target(Authority),
}

impl AuthorityFact {
    /// The host, with its port if it has one.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Header(value) => value.as_bytes(),
            Self::Target(authority) => authority.as_str().as_bytes(),
        }
    }
}

/// Whether the facts of each call have this header anyhow.
pub fn is_known_header(part: Part, name: &HeaderName) -> bool {
    match part {
        Part::Request => [
            FORWARDED_FOR,
            USER_AGENT,
            REQUEST_ID,
            ORIGINAL_PATH,
            ORIGINAL_HOST,
        ]
        .contains(name),
        Part::Response => *name == SERVICE_TIME,
        Part::Trailers => false,
    }
}

impl RequestFacts {
    pub(super) fn new(
        method: &Method,
        path: Option<PathAndQuery>,
        version: Version,
        authority: Option<AuthorityFact>,
        headers: &HeaderMap,
    ) -> Self {
        Self {
            method: Some(method.clone()),
            path,
            rewritten_path: None,
            protocol: Some(version),
            authority,
            original_authority: None,
            grpc: false,
            user_agent: value_of(headers, &USER_AGENT).cloned(),
            x_forwarded_for: value_of(headers, &FORWARDED_FOR).cloned(),
            request_id: value_of(headers, &REQUEST_ID).cloned(),
        }
    }
}
