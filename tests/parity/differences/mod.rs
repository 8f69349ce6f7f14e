//! Every difference from Envoy, with its reason. Those that begin with `lack` are not meant and stand here until they
//! are gone; all others are.
//!
//! What the two proxies answered where they differ stands in the file `NAME.answers` beside each list, and must be just
//! that: a difference accepts one answer. `EGRET_BLESS=1` rewrites these files; the diff is the review.

mod breaks;
mod gateway;
mod http2;
mod sidecar;
mod streams;
mod proxied;
mod routes;
mod rows;
mod logs;

use self::breaks::OF_BREAKS;
use self::gateway::OF_GATEWAY;
use self::http2::OVER_HTTP2;
use self::logs::{OF_HTTP1, OF_HTTP2, OF_LOGGED_STREAMS};
use self::proxied::OF_PROXIED;
use self::routes::OF_ROUTES;
use self::rows::{OF_CLOSED_ROWS, OF_GATEWAY_ROWS, OF_OPEN_ROWS};
use self::sidecar::OF_SIDECAR;
use self::streams::OF_STREAMS;

/// The differences of one suite of exchanges.
#[derive(Clone, Copy)]
pub(crate) struct Suite {
    /// The name of its file of answers.
    pub(crate) name: &'static str,
    /// What is compared, for readers of the documentation.
    pub(crate) about: &'static str,
    pub(crate) differences: &'static [Difference],
}

pub(crate) const GATEWAY: Suite = Suite {
    name: "gateway",
    about: "HTTP/1.1 through a gateway",
    differences: OF_GATEWAY,
};
pub(crate) const HTTP2: Suite = Suite {
    name: "http2",
    about: "HTTP/2 through a gateway",
    differences: OVER_HTTP2,
};
pub(crate) const SIDECAR: Suite = Suite {
    name: "sidecar",
    about: "HTTP/1.1 through a sidecar",
    differences: OF_SIDECAR,
};
pub(crate) const ROUTES: Suite = Suite {
    name: "routes",
    about: "routes of a gateway",
    differences: OF_ROUTES,
};
pub(crate) const PROXIED: Suite = Suite {
    name: "proxied",
    about: "clients behind PROXY headers",
    differences: OF_PROXIED,
};
pub(crate) const STREAMS: Suite = Suite {
    name: "streams",
    about: "TLS, bytes, mirrors and weights through a gateway",
    differences: OF_STREAMS,
};
pub(crate) const ROWS_GATEWAY: Suite = Suite {
    name: "rows_gateway",
    about: "connections to a gateway that are not HTTP",
    differences: OF_GATEWAY_ROWS,
};
pub(crate) const ROWS_OPEN: Suite = Suite {
    name: "rows_open",
    about: "connections through a sidecar under ALLOW_ANY",
    differences: OF_OPEN_ROWS,
};
pub(crate) const ROWS_CLOSED: Suite = Suite {
    name: "rows_closed",
    about: "connections through a sidecar under REGISTRY_ONLY",
    differences: OF_CLOSED_ROWS,
};
pub(crate) const BREAKS: Suite = Suite {
    name: "breaks",
    about: "exchanges that either side breaks off",
    differences: OF_BREAKS,
};

pub(crate) const LOGS_HTTP1: Suite = Suite {
    name: "logs_http1",
    about: "every operator of the access log as JSON, HTTP/1.1 through a gateway",
    differences: OF_HTTP1,
};
pub(crate) const LOGS_HTTP2: Suite = Suite {
    name: "logs_http2",
    about: "every operator of the access log as JSON, HTTP/2 through a gateway",
    differences: OF_HTTP2,
};
pub(crate) const LOGS_TEXT_HTTP1: Suite = Suite {
    name: "logs_text_http1",
    about: "every operator of the access log as text, HTTP/1.1 through a gateway",
    differences: OF_HTTP1,
};
pub(crate) const LOGS_TEXT_HTTP2: Suite = Suite {
    name: "logs_text_http2",
    about: "every operator of the access log as text, HTTP/2 through a gateway",
    differences: OF_HTTP2,
};
pub(crate) const LOGS_STREAMS: Suite = Suite {
    name: "logs_streams",
    about: "every operator of the access log as JSON, connections that are not HTTP",
    differences: OF_LOGGED_STREAMS,
};
pub(crate) const LOGS_TEXT_STREAMS: Suite = Suite {
    name: "logs_text_streams",
    about: "every operator of the access log as text, connections that are not HTTP",
    differences: OF_LOGGED_STREAMS,
};

/// All of them.
#[allow(dead_code, reason = "the documentation is made from it")]
pub(crate) const SUITES: &[Suite] = &[
    GATEWAY,
    HTTP2,
    SIDECAR,
    ROUTES,
    PROXIED,
    STREAMS,
    ROWS_GATEWAY,
    ROWS_OPEN,
    ROWS_CLOSED,
    BREAKS,
    LOGS_HTTP1,
    LOGS_HTTP2,
    LOGS_TEXT_HTTP1,
    LOGS_TEXT_HTTP2,
    LOGS_STREAMS,
    LOGS_TEXT_STREAMS,
];

/// A difference: of which exchanges (empty: of any), in which facts, and why.
pub(crate) struct Difference {
    pub(crate) exchanges: &'static [&'static str],
    /// Names of facts, or their beginnings before `*`.
    pub(crate) facts: &'static [&'static str],
    pub(crate) reason: &'static str,
}

const BODY: &[&str] = &[
    "body",
    "header content-length",
    "header content-type",
    "log bytes_sent",
];

const ALL: &[&str] = &["*"];

/// Who signs an answer.
const SERVER: Difference = Difference {
    exchanges: &[],
    facts: &[
        "header server",
        "response 1 header server",
        "response 2 header server",
    ],
    reason: "answers are signed by who gives them; proxyHeaders of the mesh can say otherwise",
};

/// What a refusal says of itself.
const VERDICT: Difference = Difference {
    exchanges: &[],
    facts: &[
        "header x-egret-verdict",
        "response 2 header x-egret-verdict",
    ],
    reason: "a refusal says why in a header of its own",
};
