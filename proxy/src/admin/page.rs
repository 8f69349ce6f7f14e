//! A page, and the two forms it comes in.

use std::fmt::Display;
use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::Value;

use crate::life::end::Command;

/// What is answered.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    /// The methods that are allowed, when the request had another.
    pub(super) allow: Option<&'static str>,
    /// The `content-security-policy` of a page for browsers.
    pub(super) security_policy: Option<Arc<str>>,
    /// What the process does once it was sent.
    pub(super) then: Option<Command>,
}

/// Which form was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
}

/// What is done with a page: pages that change something are not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It is read, by GET or HEAD.
    Get,
    /// It changes something, by POST.
    Post,
}

impl Verb {
    /// The method.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }

    /// All methods that do it, for `Allow` (RFC 9110, 10.2.1).
    fn allow(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            Self::Post => "POST",
        }
    }

    /// Whether a request with this method does it.
    pub(super) fn allows(self, method: &Method) -> bool {
        match self {
            Self::Get => matches!(*method, Method::GET | Method::HEAD),
            Self::Post => *method == Method::POST,
        }
    }
}

impl Form {
    /// Reads a query: `format=json` among its parts, anything else is text.
    pub(super) fn asked(query: Option<&str>) -> Self {
        let json = query
            .unwrap_or_default()
            .split('&')
            .any(|part| part.eq_ignore_ascii_case("format=json"));
        if json { Self::Json } else { Self::Text }
    }
}

impl Page {
    pub(super) const TEXT: &str = "text/plain; charset=utf-8";
    pub(super) const JSON: &str = "application/json";
    pub(super) const HTML: &str = "text/html; charset=utf-8";

    pub(super) fn text(status: StatusCode, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: Self::TEXT,
            body: body.into(),
            allow: None,
            security_policy: None,
            then: None,
        }
    }

    pub(super) fn json(value: &Value) -> Self {
        let mut body = format!("{value:#}");
        body.push('\n');
        Self {
            status: StatusCode::OK,
            content_type: Self::JSON,
            body,
            allow: None,
            security_policy: None,
            then: None,
        }
    }

    /// `OK`, and an order to the process.
    pub(super) fn order(command: Command) -> Self {
        Self {
            then: Some(command),
            ..Self::text(StatusCode::OK, "OK\n")
        }
    }

    /// For a query that cannot be understood.
    pub(super) fn bad_request(reason: impl Display) -> Self {
        Self::text(StatusCode::BAD_REQUEST, format!("{reason}\n"))
    }

    /// For a path without a page.
    pub(super) fn not_found(pages: &str) -> Self {
        Self::text(StatusCode::NOT_FOUND, format!("not found: {pages}\n"))
    }

    /// For orders of the agent's pages from other hosts.
    pub(super) fn remote() -> Self {
        let body = "forbidden: only the pod itself may ask for this\n";
        Self::text(StatusCode::FORBIDDEN, body)
    }

    /// For requests that name another host than loopback.
    pub(super) fn foreign() -> Self {
        let body = "forbidden: the Host of an admin request must be localhost, 127.0.0.1 or [::1], and so must its \
                    Origin, if it has one\n";
        Self::text(StatusCode::FORBIDDEN, body)
    }

    /// For large pages when others are being read.
    pub(super) fn busy() -> Self {
        let body = "busy: other clients are reading large pages; try again\n";
        Self::text(StatusCode::SERVICE_UNAVAILABLE, body)
    }

    /// For requests with another method than the page's.
    pub(super) fn not_allowed(verb: Verb) -> Self {
        let body = format!("method not allowed: use {}\n", verb.name());
        Self {
            allow: Some(verb.allow()),
            ..Self::text(StatusCode::METHOD_NOT_ALLOWED, body)
        }
    }
}
