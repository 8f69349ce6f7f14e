//! Asks about one request: makes it regular as a running proxy does, and decides it.

use egret_config::decide;
use egret_config::decide::call::Request;
use egret_config::decide::call::Terminated;
use egret_config::decide::verdict::Answer as Answered;
use egret_config::decide::verdict::Refusal;
use egret_config::decide::verdict::RequestDecision;
use egret_config::decide::verdict::RequestVerdict;
use egret_config::host::split_authority;
use egret_config::model::route::Abort;
use egret_config::snapshot::cluster::PASSTHROUGH_CLUSTER;
use egret_config::snapshot::workload::Mode;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Uri;
use http::Version;
use http::header;

use crate::explain::answer::Answer;
use crate::explain::answer::Word;
use crate::explain::asked::Asked;
use crate::explain::asked::first_there;
use crate::explain::asked::host;
use crate::explain::asked::is_host;
use crate::explain::asked::weighted;
use crate::explain::call::Protocol;
use crate::explain::call::WrongCall;
use crate::explain::described;
use crate::explain::described::Spoken;
use crate::http::cors;
use crate::http::headers;
use crate::http::headers::Edge;
use crate::http::rewrite;
use crate::http::upgrade;

/// Shares of faults and mirrors are counted in millionths.
const MILLION: u32 = 1_000_000;

impl Asked<'_> {
    /// A request, made regular as a running proxy makes it, and decided.
    pub(super) fn request(&self, terminated: Option<&Terminated>) -> Result<Answer, WrongCall> {
        let scheme = match terminated {
            Some(_) => "https",
            None => "http",
        };
        let mut headers = self.headers()?;
        let Ok(method) = Method::from_bytes(self.call.method.as_bytes()) else {
            return Ok(self.bad(
                400,
                &format!("`{}` is not a method", self.call.method.escape_debug()),
            ));
        };
        let version = match self.call.protocol {
            Protocol::Http2 => Version::HTTP_2,
            _ => Version::HTTP_11,
        };
        // What follows a `#` is not sent on, as with Istio.
        let target = self.call.path.split('#').next().unwrap_or_default();
        let target = if target.is_empty() { "/" } else { target };
        if method == Method::CONNECT {
            let mut answer = self.answer(Word::NotFound);
            answer.status = Some(404);
            answer.flag = Some("NR");
            answer.trail.push("no route allows CONNECT".to_owned());
            return Ok(answer);
        }
        let few = headers::small(target, &headers).and_then(|()| headers::few(&headers));
        if let Err(failure) = few {
            return Ok(self.failed(&failure));
        }
        let Ok(uri) = target.parse::<Uri>() else {
            return Ok(self.bad(400, &format!("`{target}` is not a request target")));
        };
        let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
        if lengths > 0 && headers.contains_key(header::TRANSFER_ENCODING) {
            return Ok(self.bad(400, "both content-length and transfer-encoding"));
        }
        if lengths > 1 {
            return Ok(self.bad(400, "more than one content-length"));
        }
        if let Err(failure) = headers::known_coding(&headers) {
            return Ok(self.failed(&failure));
        }
        if let Err(failure) = upgrade::wish(&headers) {
            return Ok(self.failed(&failure));
        }
        let authority =
            match rewrite::take_authority(&uri, version, terminated.is_some(), &mut headers) {
                Ok(authority) => authority,
                Err(bad) => return Ok(self.failed(&bad.into())),
            };
        let authority = authority.to_str().unwrap_or_default();
        let how = self.snapshot.mesh.path_normalization;
        let path = match rewrite::take_path(&method, &uri, how) {
            Ok(path) => path,
            Err(bad) => return Ok(self.failed(&bad.into())),
        };
        headers::strip_request(&mut headers);
        let own = &self.snapshot.mesh.proxy_headers;
        if own.request_id {
            headers::ensure_request_id(&mut headers);
        }
        match self.snapshot.workload.mode {
            Mode::Sidecar => {
                headers::forward_client_cert(&mut headers, own.client_cert, None);
                headers::from_sidecar(&mut headers, scheme);
            }
            Mode::Gateway => {
                let topology = &self.snapshot.mesh.topology;
                headers::forward_client_cert(&mut headers, topology.client_cert, None);
                let edge = Edge {
                    scheme,
                    client: self.arrival.client.ip(),
                    port: own.forwarded_port.then_some(self.arrival.to.port()),
                    topology,
                };
                headers::from_gateway(&mut headers, edge);
            }
        }
        let said = headers
            .get(headers::FORWARDED_PROTO)
            .and_then(|scheme| scheme.to_str().ok());
        let request = Request {
            arrival: self.arrival,
            terminated,
            method: method.as_str(),
            scheme: said.unwrap_or(scheme),
            authority,
            path: path.as_str(),
            headers: &headers,
        };
        let decide = |rolled: u64| {
            decide::request(self.snapshot, &request, &mut |sides| {
                rolled.min(sides.saturating_sub(1))
            })
        };
        let mut decision = decide(0);
        if let RequestVerdict::Refuse(Refusal::NoCluster(_)) = decision.verdict
            && let Some(rolled) = first_there(decision.trail.shares)
        {
            decision = decide(rolled);
        }
        let mut answer = self.decided(&decision, authority);
        if let Some(policy) = decision.rule.and_then(|rule| rule.cors.as_ref())
            && let cors::Verdict::Answer(response) = cors::verdict(policy, &method, &headers)
        {
            let mut preflight = self.answer(Word::DirectResponse);
            preflight.status = Some(response.status().as_u16());
            preflight.virtual_host = answer.virtual_host;
            preflight.route = answer.route;
            preflight.trail.extend(decision.trail.sentences());
            preflight
                .trail
                .push("it is a preflight, and answered as corsPolicy says".to_owned());
            return Ok(preflight);
        }
        if path.as_str() != self.call.path {
            answer.trail.insert(
                usize::from(self.resolved.is_some()),
                format!("the path is read as {path}"),
            );
        }
        Ok(answer)
    }

    fn headers(&self) -> Result<HeaderMap, WrongCall> {
        let mut headers = HeaderMap::new();
        let value = |name: &str, text: &str| {
            HeaderValue::from_str(text)
                .map_err(|_| WrongCall::new(format!("{text:?} is not a value of header `{name}`")))
        };
        let given = self.call.headers.iter().any(|(name, _)| is_host(name));
        let host = match &self.call.host {
            Some(host) => Some(host.clone()),
            None if given => None,
            None => host(self.call),
        };
        if let Some(host) = host {
            headers.append(header::HOST, value("host", &host)?);
        }
        for (name, text) in &self.call.headers {
            let key = if is_host(name) {
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
    fn decided(&self, decision: &RequestDecision<'_>, authority: &str) -> Answer {
        let mut answer = match &decision.verdict {
            RequestVerdict::Pass => {
                let mut answer = self.answer(Word::Passthrough);
                answer.cluster = Some(PASSTHROUGH_CLUSTER.to_owned());
                answer
            }
            RequestVerdict::Forward(_) => {
                let mut answer = self.answer(Word::Route);
                answer.cluster = decision.trail.cluster.map(str::to_owned);
                answer
            }
            RequestVerdict::Answer(Answered::Redirect {
                status, location, ..
            }) => {
                let mut answer = self.answer(Word::Redirect);
                answer.status = Some(*status);
                answer.location = Some(location.clone());
                answer
            }
            RequestVerdict::Answer(Answered::Respond { response, .. }) => {
                let mut answer = self.answer(Word::DirectResponse);
                answer.status = Some(response.status);
                answer
            }
            RequestVerdict::Refuse(refusal) => {
                let (word, status, flag) = match refusal {
                    Refusal::Blackhole => (Word::Blackhole, Some(502), None),
                    Refusal::OwnListener => (Word::Blackhole, Some(502), Some("UH")),
                    Refusal::NoRoute => (Word::NotFound, Some(404), Some("NR")),
                    Refusal::NoCluster(_) => (Word::Route, Some(503), Some("NC")),
                    Refusal::NoChain => (Word::NoChain, None, Some("NR")),
                };
                let mut answer = self.answer(word);
                answer.status = status;
                answer.flag = flag;
                if let Refusal::NoCluster(missing) = refusal {
                    answer.cluster = Some(missing.to_string());
                }
                answer
            }
        };
        answer.virtual_host = decision.virtual_host.map(str::to_owned);
        answer.route = decision.route.map(str::to_owned);
        answer.clusters = weighted(decision.trail.shares);
        answer.trail.extend(decision.trail.sentences());
        if let RequestVerdict::Forward(forward) = &decision.verdict {
            answer.rewritten_path.clone_from(&forward.path);
            answer.rewritten_authority = forward.authority.map(str::to_owned);
            answer.timeout = forward.timeout;
            answer.retries = forward.retries.map(described::retries);
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
            let spoken = Spoken::Requests(host);
            described::cluster(&mut answer, forward.cluster, &spoken, self.listed);
        }
        let aborts = decision.rule.and_then(|rule| rule.fault.as_ref()?.abort);
        if let Some((share, abort)) = aborts {
            fault(&mut answer, share, abort);
        }
        answer
    }
}

/// What an injected abort makes of an answer.
fn fault(answer: &mut Answer, share: u32, abort: Abort) {
    let (status, words) = match abort {
        Abort::Http(status) => (status, format!("status {status}")),
        Abort::Grpc(code) => (200, format!("gRPC status {code}")),
    };
    let percent = f64::from(share) * 100.0 / f64::from(MILLION);
    answer.fault = Some(format!(
        "{percent}% of the requests are aborted with {words}"
    ));
    if share >= MILLION {
        answer.status = Some(status);
        answer.flag = Some("FI");
    }
}
