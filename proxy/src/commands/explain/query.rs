//! Decides a call in the steps of a running proxy.

mod explained_call;
mod request;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use egret_config::address::{ClientAddress, OriginalDestination};
use egret_config::decide;
use egret_config::decide::bad_request::{BadRequest, BadRequestKind};
use egret_config::decide::call::{
    Arrival, ClientHello, Connection, HttpVersion, Layer, Terminated,
};
use egret_config::decide::outcome::Outcome;
use egret_config::decide::verdict::{ConnectionDecision, Refusal, Verdict};
use egret_config::host::split_authority;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::Cluster;

use crate::commands::explain::answer::Answer;
use crate::commands::explain::call::{Call, Protocol, WrongCall};
use crate::commands::explain::description;
use crate::commands::explain::description::CallContent;
use crate::commands::explain::query::explained_call::{ExplainedCall, first_there, host, weighted};
use crate::commands::explain::world::View;

/// Explains a call.
///
/// # Errors
/// A call that no client can send.
pub(super) fn ask(view: &View, call: &Call) -> Result<Answer, WrongCall> {
    let (to, resolved) = view.address(&call.to);
    let listed = |cluster: &Cluster| view.lists_members(&cluster.host);
    ask_snapshot(&view.snapshot, call, to, resolved, &listed)
}

/// Explains a call to `to`, with the resolution of its name, if it has one. `listed` returns whether a cluster without
/// members is known to have none.
///
/// # Errors
/// As [`ask`].
pub(super) fn ask_snapshot(
    snapshot: &Snapshot,
    call: &Call,
    to: SocketAddr,
    resolved: Option<String>,
    listed: &dyn Fn(&Cluster) -> bool,
) -> Result<Answer, WrongCall> {
    let client = snapshot.workload.addresses.first().copied();
    let client = client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let client = ClientAddress(SocketAddr::new(client, 40_000));
    let arrival = Arrival::new(client, OriginalDestination(to));
    let sni = sni(call);
    let layer = layer(call, sni.as_deref());
    let explained = ExplainedCall {
        snapshot,
        call,
        arrival,
        resolved,
        listed,
    };
    let mut answer = explained.connection(&layer, None)?;
    answer.sni = sni;
    Ok(answer)
}

/// The name in the ClientHello: given, else the host without port, unless it is an address.
fn sni(call: &Call) -> Option<String> {
    if !call.protocol.is_tls() {
        return None;
    }
    let named = match (&call.sni, host(call)) {
        (Some(sni), _) => sni.clone(),
        (None, Some(host)) => split_authority(&host).0.to_owned(),
        (None, None) => String::new(),
    };
    let is_name = !named.is_empty() && named.parse::<IpAddr>().is_err();
    is_name.then(|| named.to_ascii_lowercase())
}

fn layer(call: &Call, sni: Option<&str>) -> Layer {
    match call.protocol {
        Protocol::Http => Layer::Http(HttpVersion::Http1),
        Protocol::Http2 => Layer::Http(HttpVersion::Http2),
        Protocol::Https | Protocol::Tls => Layer::Tls(ClientHello {
            sni: sni.map(Arc::from),
            alpn: call
                .alpn
                .iter()
                .map(|protocol| protocol.as_bytes().into())
                .collect(),
        }),
        Protocol::Tcp => Layer::Opaque,
    }
}

impl ExplainedCall<'_> {
    fn connection(
        &self,
        layer: &Layer,
        terminated: Option<&Terminated>,
    ) -> Result<Answer, WrongCall> {
        let connection = Connection {
            arrival: self.arrival,
            layer,
            terminated,
        };
        let decide = |rolled: u64| {
            decide::connection(self.snapshot, &connection, &mut |sides| {
                rolled.min(sides.saturating_sub(1))
            })
        };
        let mut decision = decide(0);
        if let Verdict::Refuse(Refusal::NoCluster(_)) = decision.verdict
            && let Some(rolled) = first_there(decision.trail.shares)
        {
            decision = decide(rolled);
        }
        match &decision.verdict {
            Verdict::Http => {
                let speaks = matches!(layer, Layer::Http(_));
                if speaks {
                    return self.request(terminated);
                }
                let mut answer = self.bad(BadRequest::new(
                    BadRequestKind::Syntax,
                    "the port serves HTTP only, and this is not HTTP",
                ));
                answer.trail.extend(decision.trail.sentences());
                Ok(answer)
            }
            Verdict::Terminate {
                tls,
                terminated: ended,
            } => {
                let inside = match self.call.protocol {
                    Protocol::Https if self.call.alpn.iter().any(|protocol| protocol == "h2") => {
                        Layer::Http(HttpVersion::Http2)
                    }
                    Protocol::Https => Layer::Http(HttpVersion::Http1),
                    _ => Layer::Opaque,
                };
                let mut outer = decision.trail.sentences();
                outer.push("TLS ends here".to_owned());
                if tls.keys.is_empty() {
                    outer.push(
                        "the Secret with its certificate was not loaded: until it is there, every handshake is refused"
                            .to_owned(),
                    );
                }
                let mut answer = self.connection(&inside, Some(ended))?;
                outer.append(&mut answer.trail);
                answer.trail = outer;
                Ok(answer)
            }
            Verdict::Passthrough | Verdict::Forward(_) | Verdict::Refuse(_) => {
                Ok(self.stream(&decision))
            }
        }
    }

    /// A decision about bytes.
    fn stream(&self, decision: &ConnectionDecision<'_>) -> Answer {
        let mode = self.snapshot.workload.mode;
        let mut answer = self.answer(Outcome::of_connection(decision, mode));
        answer.clusters = weighted(decision.trail.shares);
        answer.trail.extend(decision.trail.sentences());
        if let Verdict::Forward(cluster) = decision.verdict {
            description::cluster(&mut answer, cluster, &CallContent::Bytes, self.listed);
            description::dialable(&mut answer, cluster, &CallContent::Bytes, self.snapshot);
        }
        answer
    }
}
