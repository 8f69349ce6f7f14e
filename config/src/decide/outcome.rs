//! What becomes of a call, as data that outlives the snapshot and can be compared: what the proxy does, what `explain`
//! prints.

use std::sync::Arc;

use crate::decide::bad_request::BadRequestKind;
use crate::decide::flag::Flags;
use crate::decide::local_reply;
use crate::decide::local_reply::LocalReply;
use crate::decide::trail::Trail;
use crate::decide::verdict::{
    Answer, ConnectionDecision, Refusal, RequestDecision, RequestVerdict, RouteName, Verdict,
};
use crate::model::route::Abort;
use crate::snapshot::cluster::{BLACK_HOLE_CLUSTER, PASSTHROUGH_CLUSTER};
use crate::snapshot::workload::Mode;

/// `RESPONSE_CODE_DETAILS` of what a rule answers.
pub const DIRECT_RESPONSE: &str = "direct_response";

/// `RESPONSE_CODE_DETAILS` of a preflight that a `corsPolicy` answers.
pub const CORS_RESPONSE: &str = "cors_response";

/// Shares of faults are in millionths.
const MILLION: u32 = 1_000_000;

/// What kind of end a call has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    /// It goes to a cluster, or to one that is missing.
    Route,
    /// It goes to its original destination.
    Passthrough,
    /// The policy for unknown calls refuses it, or it would come back to this proxy.
    Blackhole,
    /// It is answered here.
    DirectResponse,
    /// A rule redirects it.
    Redirect,
    /// No virtual host, or no rule of it, fits.
    NotFound,
    /// No Gateway opens the port.
    NoListener,
    /// Nothing of the listener fits what the connection shows.
    NoChain,
    /// It is not HTTP, or not as HTTP is written.
    BadRequest,
    /// The policy for unknown calls sends it to the Sidecar's `egressProxy`.
    EgressProxy,
    /// A fault of a rule ends it.
    Fault,
    /// It goes to a cluster that is not there.
    NoCluster,
    /// It goes to a cluster without a usable endpoint.
    NoEndpoint,
}

impl OutcomeKind {
    /// All of them. The last four are distinguished from [`OutcomeKind::Route`] once a call was made.
    pub const ALL: [Self; 13] = [
        Self::Route,
        Self::Passthrough,
        Self::Blackhole,
        Self::DirectResponse,
        Self::Redirect,
        Self::NotFound,
        Self::NoListener,
        Self::NoChain,
        Self::BadRequest,
        Self::EgressProxy,
        Self::Fault,
        Self::NoCluster,
        Self::NoEndpoint,
    ];

    /// What a decision about bytes comes to; `None` where what is inside is decided by itself.
    pub fn of_stream(decision: &ConnectionDecision<'_>) -> Option<Self> {
        match &decision.verdict {
            Verdict::Http | Verdict::Terminate { .. } => None,
            Verdict::Passthrough => Some(Self::Passthrough),
            Verdict::Forward(_) => Some(Self::forwarded(&decision.trail)),
            Verdict::Refuse(refusal) => Some(Self::refused(refusal)),
        }
    }

    /// What a decision about a request comes to.
    pub fn of_exchange(decision: &RequestDecision<'_>) -> Self {
        match &decision.verdict {
            RequestVerdict::Passthrough => Self::Passthrough,
            RequestVerdict::Forward(_) => Self::forwarded(&decision.trail),
            RequestVerdict::Answer(Answer::Redirect { .. }) => Self::Redirect,
            RequestVerdict::Answer(Answer::Respond { .. }) => Self::DirectResponse,
            RequestVerdict::Refuse(refusal) => Self::refused(refusal),
        }
    }

    /// What a refusal comes to.
    pub fn refused(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Blackhole | Refusal::OwnListener => Self::Blackhole,
            Refusal::NoRoute => Self::NotFound,
            Refusal::NoCluster(_) => Self::NoCluster,
            Refusal::NoChain => Self::NoChain,
        }
    }

    fn forwarded(trail: &Trail<'_>) -> Self {
        match trail.policy {
            Some(unknown) if unknown.proxy.is_some() => Self::EgressProxy,
            _ => Self::Route,
        }
    }

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
            Self::EgressProxy => "egress_proxy",
            Self::Fault => "fault",
            Self::NoCluster => "no_cluster",
            Self::NoEndpoint => "no_endpoint",
        }
    }
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The kind of its end.
    pub kind: OutcomeKind,
    /// The HTTP status that the proxy itself answers; `None` when the upstream answers, and for byte streams.
    pub status: Option<u16>,
    /// Response flags that are known before a connection is made.
    pub flags: Flags,
    /// `RESPONSE_CODE_DETAILS`, where the proxy itself ends the call.
    pub details: Option<&'static str>,
    /// The reason code of a local reply.
    pub code: Option<&'static str>,
    /// The cluster, or the name of a missing one.
    pub cluster: Option<Arc<str>>,
    /// The virtual host.
    pub virtual_host: Option<Arc<str>>,
    /// The route's name.
    pub route: Option<RouteName>,
    /// What is sent in place of what the client sent.
    pub rewrites: Rewrites,
    /// The `location` of a redirect.
    pub location: Option<String>,
}

/// What of a request is sent otherwise than the client sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrites {
    /// The path and query.
    pub path: Option<String>,
    /// The authority.
    pub authority: Option<String>,
}

/// What a call consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// An HTTP request.
    Request,
    /// Bytes.
    Stream,
}

impl Outcome {
    fn new(kind: OutcomeKind) -> Self {
        Self {
            kind,
            status: None,
            flags: Flags::default(),
            details: None,
            code: None,
            cluster: None,
            virtual_host: None,
            route: None,
            rewrites: Rewrites::default(),
            location: None,
        }
    }

    /// The outcome of a decision about bytes. Where a connection carries requests, or TLS that ends here, what is inside
    /// has an outcome of its own.
    pub fn of_connection(decision: &ConnectionDecision<'_>, mode: Mode) -> Self {
        let mut outcome = match &decision.verdict {
            Verdict::Passthrough | Verdict::Http | Verdict::Terminate { .. } => {
                Self::new(OutcomeKind::Passthrough)
            }
            Verdict::Forward(_) => Self::new(OutcomeKind::Route),
            Verdict::Refuse(Refusal::NoRoute | Refusal::NoChain)
                if decision.trail.listener.is_none() && mode == Mode::Gateway =>
            {
                // Nobody accepts the connection, so that nothing is logged.
                Self::new(OutcomeKind::NoListener)
            }
            Verdict::Refuse(refusal) => {
                let kind = match refusal {
                    Refusal::Blackhole | Refusal::OwnListener => OutcomeKind::Blackhole,
                    Refusal::NoCluster(_) => OutcomeKind::Route,
                    Refusal::NoRoute | Refusal::NoChain => OutcomeKind::NoChain,
                };
                let mut outcome = Self::new(kind);
                outcome.reply(&refusal.reply(), Carries::Stream);
                outcome
            }
        };
        outcome.cluster = match outcome.kind {
            OutcomeKind::Blackhole => Some(BLACK_HOLE_CLUSTER.into()),
            _ => decision.cluster.map(Arc::from),
        };
        outcome
    }

    /// The outcome of a decision about a request. `preflight` is whether the `corsPolicy` of its rule answers it. Faults
    /// come first, then preflights, as they do for a request.
    pub fn of_request(decision: &RequestDecision<'_>, preflight: bool) -> Self {
        let abort = decision
            .filters
            .and_then(|filters| filters.fault.as_ref()?.abort);
        let aborted = abort.filter(|(share, _)| *share >= MILLION);
        let mut outcome = if preflight && aborted.is_none() {
            Self {
                status: Some(200),
                details: Some(CORS_RESPONSE),
                ..Self::new(OutcomeKind::DirectResponse)
            }
        } else {
            Self::of_verdict(decision)
        };
        if let Some((_, abort)) = aborted {
            let status = match abort {
                Abort::Http(status) => status,
                Abort::Grpc(_) => 200,
            };
            outcome.reply(&local_reply::fault_abort(status), Carries::Request);
        }
        outcome.virtual_host = decision.virtual_host.map(Arc::from);
        outcome.route.clone_from(&decision.route);
        outcome
    }

    fn of_verdict(decision: &RequestDecision<'_>) -> Self {
        match &decision.verdict {
            RequestVerdict::Passthrough => Self {
                cluster: Some(PASSTHROUGH_CLUSTER.into()),
                ..Self::new(OutcomeKind::Passthrough)
            },
            RequestVerdict::Forward(forward) => Self {
                cluster: Some(Arc::clone(&forward.cluster.name)),
                rewrites: Rewrites {
                    path: forward.path.clone(),
                    authority: forward.authority.map(str::to_owned),
                },
                ..Self::new(OutcomeKind::Route)
            },
            RequestVerdict::Answer(Answer::Redirect {
                status, location, ..
            }) => Self {
                status: Some(*status),
                details: Some(DIRECT_RESPONSE),
                location: Some(location.clone()),
                ..Self::new(OutcomeKind::Redirect)
            },
            RequestVerdict::Answer(Answer::Respond { response, .. }) => Self {
                status: Some(response.status),
                details: Some(DIRECT_RESPONSE),
                ..Self::new(OutcomeKind::DirectResponse)
            },
            RequestVerdict::Refuse(refusal) => {
                let kind = match refusal {
                    Refusal::Blackhole | Refusal::OwnListener => OutcomeKind::Blackhole,
                    Refusal::NoRoute => OutcomeKind::NotFound,
                    Refusal::NoCluster(_) => OutcomeKind::Route,
                    Refusal::NoChain => OutcomeKind::NoChain,
                };
                let mut outcome = Self::new(kind);
                outcome.reply(&refusal.reply(), Carries::Request);
                if let Refusal::NoCluster(missing) = refusal {
                    outcome.cluster = Some(Arc::clone(missing));
                }
                outcome
            }
        }
    }

    /// The outcome of a request that is refused for what it is.
    pub fn of_bad_request(kind: BadRequestKind) -> Self {
        let mut outcome = Self::new(OutcomeKind::BadRequest);
        outcome.reply(&kind.reply(), Carries::Request);
        outcome
    }

    /// The proxy ends the call with this local reply.
    pub fn reply(&mut self, reply: &LocalReply, carries: Carries) {
        self.code = Some(reply.code);
        match carries {
            Carries::Request => {
                self.status = Some(reply.status).filter(|status| *status != 0);
                self.flags = Flags::of(reply.flag);
                self.details = Some(reply.details);
            }
            Carries::Stream => {
                self.status = None;
                self.flags = Flags::of(reply.stream_flag);
                self.details = reply.stream_details.then_some(reply.details);
            }
        }
    }
}

#[cfg(test)]
mod tests;
