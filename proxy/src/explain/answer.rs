//! What becomes of a call, as data.

use std::net::SocketAddr;
use std::time::Duration;

use crate::explain::call::Call;

/// The verdict's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// To a cluster, or to one that is missing.
    Route,
    /// To where the caller wanted to go.
    Passthrough,
    /// Refused by the policy for unknown calls.
    Blackhole,
    /// Answered by a rule.
    DirectResponse,
    /// Sent elsewhere by a rule.
    Redirect,
    /// No virtual host, or no rule of it, fits.
    NotFound,
    /// Nobody listens there.
    NoListener,
    /// Nothing of the listener fits what the connection shows.
    NoChain,
    /// Not HTTP, or not as HTTP is written.
    BadRequest,
}

impl Word {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Passthrough => "passthrough",
            Self::Blackhole => "blackhole",
            Self::DirectResponse => "direct_response",
            Self::Redirect => "redirect",
            Self::NotFound => "not_found",
            Self::NoListener => "no_listener",
            Self::NoChain => "no_chain",
            Self::BadRequest => "bad_request",
        }
    }
}

/// What becomes of a call, and why.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The call.
    pub call: Call,
    /// The address it dials.
    pub to: SocketAddr,
    /// The name its ClientHello shows.
    pub sni: Option<String>,
    /// The verdict.
    pub word: Word,
    /// The status that egret itself answers; `None` when the upstream answers or the connection just ends.
    pub status: Option<u16>,
    /// Envoy's response flag.
    pub flag: Option<&'static str>,
    /// The cluster: the one with weight, the first of several.
    pub cluster: Option<String>,
    /// The clusters and their weights, when there are several.
    pub clusters: Vec<(String, u32)>,
    /// The virtual host.
    pub virtual_host: Option<String>,
    /// The route's name.
    pub route: Option<String>,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// The path that is sent instead.
    pub rewritten_path: Option<String>,
    /// The authority that is sent instead.
    pub rewritten_authority: Option<String>,
    /// TLS that is originated.
    pub tls: Option<Tls>,
    /// How an endpoint is picked.
    pub lb: Option<&'static str>,
    /// Time limit of the request.
    pub timeout: Option<Duration>,
    /// Retries.
    pub retries: Option<Retries>,
    /// Where copies go, each with its share in percent.
    pub mirrors: Vec<(String, f64)>,
    /// A fault that strikes every request: what it does.
    pub fault: Option<String>,
    /// Why, one sentence a step.
    pub trail: Vec<String>,
}

/// TLS that is originated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// `SIMPLE`, `MUTUAL`, `ISTIO_MUTUAL`.
    pub mode: &'static str,
    /// The name that is sent.
    pub sni: Option<String>,
    /// Names of which the certificate must have one.
    pub verify_san: Vec<String>,
    /// Trusted authorities: `system` or a path; `None` when nothing is verified.
    pub ca: Option<String>,
}

/// Retries of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Tries after the first.
    pub attempts: u32,
    /// Time limit of each.
    pub per_try_timeout: Option<Duration>,
    /// On what.
    pub retry_on: String,
}

impl Answer {
    /// An answer without anything but its word.
    pub fn new(call: &Call, to: SocketAddr, word: Word) -> Self {
        Self {
            call: call.clone(),
            to,
            sni: None,
            word,
            status: None,
            flag: None,
            cluster: None,
            clusters: Vec::new(),
            virtual_host: None,
            route: None,
            location: None,
            rewritten_path: None,
            rewritten_authority: None,
            tls: None,
            lb: None,
            timeout: None,
            retries: None,
            mirrors: Vec::new(),
            fault: None,
            trail: Vec::new(),
        }
    }
}

/// A duration as Istio's objects write it: `1.5s`.
pub fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs_f64())
}
