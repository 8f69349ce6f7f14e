//! A page, and the two forms it comes in.

use http::StatusCode;
use serde_json::Value;

/// What is answered.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    /// The one method that is allowed, when the request had another.
    pub(super) allow: Option<&'static str>,
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
        }
    }

    pub(super) fn not_allowed(allow: &'static str) -> Self {
        let body = format!("method not allowed: use {allow}\n");
        Self {
            allow: Some(allow),
            ..Self::text(StatusCode::METHOD_NOT_ALLOWED, body)
        }
    }
}
