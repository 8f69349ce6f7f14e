//! The explanation of a call, as data.

use std::net::SocketAddr;
use std::time::Duration;

use egret_config::decide::flag::Flag;
use egret_config::decide::outcome::{Carries, Outcome};
use egret_config::decide::verdict::Refusal;

use crate::commands::explain::call::Call;
use crate::failure::{Cause, Failure};

/// The explanation of a call.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The call.
    pub call: Call,
    /// The address it dials.
    pub to: SocketAddr,
    /// The SNI.
    pub sni: Option<String>,
    /// The outcome. Of several clusters it has the first one with weight that exists.
    pub outcome: Outcome,
    /// The clusters and their weights, when there are several.
    pub clusters: Vec<(String, u32)>,
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
    /// A fault that is injected into every request.
    pub fault: Option<String>,
    /// The reasons, one sentence for each step.
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
    /// Attempts after the first.
    pub attempts: u32,
    /// Time limit of each.
    pub per_try_timeout: Option<Duration>,
    /// The conditions.
    pub retry_on: String,
}

impl Answer {
    /// An answer with only its outcome.
    pub fn new(call: &Call, to: SocketAddr, outcome: Outcome) -> Self {
        Self {
            call: call.clone(),
            to,
            sni: None,
            outcome,
            clusters: Vec::new(),
            tls: None,
            lb: None,
            timeout: None,
            retries: None,
            mirrors: Vec::new(),
            fault: None,
            trail: Vec::new(),
        }
    }

    /// Sets a failure, unless a fault of the route ends the call before.
    pub fn fail(&mut self, cause: Cause, carries: Carries) {
        if !self.outcome.flags.contains(Flag::FI) {
            self.outcome
                .reply(&Failure::new(cause, "").reply(), carries);
        }
    }

    /// The response flag of the call, if it is known.
    pub fn flag(&self) -> Option<Flag> {
        self.outcome.flags.iter().next()
    }

    /// Whether the call would be dialled back to the proxy itself.
    pub fn is_own_listener(&self) -> bool {
        self.outcome.code == Some(Refusal::OwnListener.reply().code)
    }
}

/// A duration as Istio's objects write it: `1.5s`.
pub fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs_f64())
}
