//! Every difference from Envoy, with its reason. Those that begin with `lack` are not meant and stand here until they
//! are gone; all others are.

mod breaks;
mod gateway;
mod http2;
mod sidecar;
mod streams;
mod proxied;
mod routes;
mod rows;

pub(crate) use breaks::OF_BREAKS;
pub(crate) use gateway::OF_GATEWAY;
pub(crate) use http2::OVER_HTTP2;
pub(crate) use proxied::OF_PROXIED;
pub(crate) use routes::OF_ROUTES;
pub(crate) use rows::OF_CLOSED_ROWS;
pub(crate) use rows::OF_GATEWAY_ROWS;
pub(crate) use rows::OF_OPEN_ROWS;
pub(crate) use sidecar::OF_SIDECAR;
pub(crate) use streams::OF_STREAMS;

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
