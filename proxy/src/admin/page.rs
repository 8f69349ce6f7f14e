//! A page, and the two forms it comes in.

use http::{Method, StatusCode};
use serde_json::Value;

use crate::life::end::Command;

/// What is answered.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    /// The one method that is allowed, when the request had another.
    pub(super) allow: Option<&'static str>,
    /// What the process does once it was sent.
    pub(super) then: Option<Command>,
}

/// Which form was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
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

    pub(super) fn text(status: StatusCode, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: Self::TEXT,
            body: body.into(),
            allow: None,
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
            then: None,
        }
    }

    /// `OK`, and an order to the process. For POST alone.
    pub(super) fn order(method: &Method, command: Command) -> Self {
        if method != Method::POST {
            return Self::not_allowed("POST");
        }
        Self {
            then: Some(command),
            ..Self::text(StatusCode::OK, "OK\n")
        }
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

    pub(super) fn not_allowed(allow: &'static str) -> Self {
        let body = format!("method not allowed: use {allow}\n");
        Self {
            allow: Some(allow),
            ..Self::text(StatusCode::METHOD_NOT_ALLOWED, body)
        }
    }
}
