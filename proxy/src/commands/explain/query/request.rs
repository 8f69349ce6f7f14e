//! Decides one request: normalizes it as a running proxy does, and decides it.

use egret_config::decide;
use egret_config::decide::bad_request::{BadRequest, BadRequestKind};
use egret_config::decide::call::Terminated;
use egret_config::decide::normalize::downstream::Downstream;
use egret_config::decide::normalize::{limits, normalize};
use egret_config::decide::outcome::{CORS_RESPONSE, Outcome, OutcomeKind};
use egret_config::decide::verdict::{Refusal, RequestDecision, RequestVerdict};
use egret_config::header_names::is_authority;
use egret_config::host::split_authority;
use egret_config::model::route::Abort;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};

use crate::commands::explain::answer::Answer;
use crate::commands::explain::call::{Protocol, WrongCall};
use crate::commands::explain::description;
use crate::commands::explain::description::CallContent;
use crate::commands::explain::query::explained_call::{ExplainedCall, first_there, host, weighted};
use crate::http::{connect, cors, headers};

/// Shares of faults and mirrors are counted in millionths.
const MILLION: u32 = 1_000_000;

/// The head of a request, as a proxy reads it.
enum Head {
    /// A request. Boxed: it is large.
    Readable(Box<Parts>),
    /// Bytes that get 400.
    Bad(BadRequest),
}

impl ExplainedCall<'_> {
    /// A request, normalized and decided.
    pub(super) fn request(&self, terminated: Option<&Terminated>) -> Result<Answer, WrongCall> {
        let downstream = Downstream::of(self.arrival, terminated);
        let head = match self.head()? {
            Head::Readable(head) => head,
            Head::Bad(bad) => return Ok(self.bad(bad)),
        };
        if head.method == Method::CONNECT {
            return Ok(self.connect(&head, &downstream));
        }
        let id = headers::new_request_id;
        let request = match normalize(*head, &downstream, self.snapshot, id) {
            Ok(request) => request,
            Err(rejected) => return Ok(self.bad(rejected.reason)),
        };
        let question = request.question(&downstream);
        let decide = |rolled: u64| {
            decide::request(self.snapshot, &question, &mut |sides| {
                rolled.min(sides.saturating_sub(1))
            })
        };
        let mut decision = decide(0);
        if let RequestVerdict::Refuse(Refusal::NoCluster(_)) = decision.verdict
            && let Some(rolled) = first_there(decision.trail.shares)
        {
            decision = decide(rolled);
        }
        let policy = decision.filters.and_then(|filters| filters.cors.as_ref());
        let preflight = policy.is_some_and(|policy| {
            let verdict = cors::verdict(policy, &request.parts.method, &request.parts.headers);
            matches!(verdict, cors::Verdict::Answer(_))
        });
        let outcome = Outcome::of_request(&decision, preflight);
        if outcome.details == Some(CORS_RESPONSE) {
            let mut answer = self.answer(outcome);
            answer.trail.extend(decision.trail.sentences());
            answer
                .trail
                .push("it is a preflight, which corsPolicy answers".to_owned());
            return Ok(answer);
        }
        let mut answer = self.decided(outcome, &decision, question.authority);
        if request.path.as_str() != self.call.path {
            answer.trail.insert(
                usize::from(self.resolved.is_some()),
                format!("the path is read as {}", request.path),
            );
        }
        Ok(answer)
    }

    /// A CONNECT.
    fn connect(&self, head: &Parts, downstream: &Downstream<'_>) -> Answer {
        let decision = decide::connect(self.snapshot, downstream, &head.uri, &head.headers);
        let outcome = Outcome::of_request(&decision, false);
        let no_route = outcome.kind == OutcomeKind::NotFound;
        let mut answer = self.decided(outcome, &decision, "");
        if no_route {
            answer.trail.push(connect::NO_ROUTE.to_owned());
        }
        answer
    }

    /// The head of the request as the codec would read it, or the error that the codec would report.
    fn head(&self) -> Result<Head, WrongCall> {
        let syntax =
            |message: String| Ok(Head::Bad(BadRequest::new(BadRequestKind::Syntax, message)));
        let headers = self.headers()?;
        let mut request = http::Request::new(());
        let Ok(method) = Method::from_bytes(self.call.method.as_bytes()) else {
            let method = self.call.method.escape_debug();
            return syntax(format!("`{method}` is not a method"));
        };
        *request.method_mut() = method;
        *request.version_mut() = match self.call.protocol {
            Protocol::Http2 => Version::HTTP_2,
            _ => Version::HTTP_11,
        };
        if *request.method() != Method::CONNECT {
            // What follows a `#` is not sent on, as with Istio.
            let target = self.call.path.split('#').next().unwrap_or_default();
            let target = if target.is_empty() { "/" } else { target };
            if let Err(bad) = limits::readable(target, &headers) {
                return Ok(Head::Bad(bad));
            }
            let Ok(uri) = target.parse::<Uri>() else {
                return syntax(format!("`{target}` is not a request target"));
            };
            *request.uri_mut() = uri;
        }
        *request.headers_mut() = headers;
        Ok(Head::Readable(Box::new(request.into_parts().0)))
    }

    fn headers(&self) -> Result<HeaderMap, WrongCall> {
        let mut headers = HeaderMap::new();
        let value = |name: &str, text: &str| {
            HeaderValue::from_str(text)
                .map_err(|_| WrongCall::new(format!("{text:?} is not a value of header `{name}`")))
        };
        let given = self.call.headers.iter().any(|(name, _)| is_authority(name));
        let host = match &self.call.host {
            Some(host) => Some(host.clone()),
            None if given => None,
            None => host(self.call),
        };
        if let Some(host) = host {
            headers.append(header::HOST, value("host", &host)?);
        }
        for (name, text) in &self.call.headers {
            let key = if is_authority(name) {
                header::HOST
            } else {
                HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| WrongCall::new(format!("`{name}` is not the name of a header")))?
            };
            headers.append(key, value(name, text)?);
        }
        Ok(headers)
    }

    /// A decision about a request.
    fn decided(&self, outcome: Outcome, decision: &RequestDecision<'_>, authority: &str) -> Answer {
        let mut answer = self.answer(outcome);
        answer.clusters = weighted(decision.trail.shares);
        answer.trail.extend(decision.trail.sentences());
        if let RequestVerdict::Forward(forward) = &decision.verdict {
            answer.timeout = forward.timeout;
            answer.retries = forward.retries.map(description::retries);
            answer.mirrors = forward
                .mirrors
                .iter()
                .map(|(cluster, share)| {
                    (
                        cluster.name.to_string(),
                        f64::from(*share) * 100.0 / f64::from(MILLION),
                    )
                })
                .collect();
            let host = split_authority(forward.authority.unwrap_or(authority)).0;
            let content = CallContent::Requests(host);
            description::cluster(&mut answer, forward.cluster, &content, self.listed);
            description::dialable(&mut answer, forward.cluster, &content, self.snapshot);
        }
        let aborts = decision
            .filters
            .and_then(|filters| filters.fault.as_ref()?.abort);
        answer.fault = aborts.map(|(share, abort)| fault(share, abort));
        answer
    }
}

/// The description of an injected abort.
fn fault(share: u32, abort: Abort) -> String {
    let status = match abort {
        Abort::Http(status) => format!("status {status}"),
        Abort::Grpc(status) => format!("gRPC status {}", status.text()),
    };
    let percent = f64::from(share) * 100.0 / f64::from(MILLION);
    format!("{percent}% of the requests are aborted with {status}")
}
