//! Asks the decision engine about a call, in the steps in which a running proxy would.

mod request;

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;

use egret_config::decide;
use egret_config::decide::call::Arrival;
use egret_config::decide::call::ClientHello;
use egret_config::decide::call::Connection;
use egret_config::decide::call::HttpVersion;
use egret_config::decide::call::Layer;
use egret_config::decide::call::Terminated;
use egret_config::decide::trail::Shares;
use egret_config::decide::verdict::ConnectionDecision;
use egret_config::decide::verdict::Refusal;
use egret_config::decide::verdict::Verdict;
use egret_config::host::split_authority;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::BLACK_HOLE_CLUSTER;
use egret_config::snapshot::cluster::Cluster;
use egret_config::snapshot::workload::Mode;

use crate::explain::answer::Answer;
use crate::explain::answer::Word;
use crate::explain::call::Call;
use crate::explain::call::Protocol;
use crate::explain::call::To;
use crate::explain::call::WrongCall;
use crate::explain::described;
use crate::explain::described::Spoken;
use crate::explain::world::View;
use crate::failure::Failure;

/// What becomes of a call.
///
/// # Errors
/// What no client could send.
pub(super) fn ask(view: &View, call: &Call) -> Result<Answer, WrongCall> {
    let (to, resolved) = view.address(&call.to);
    let listed = |cluster: &Cluster| view.lists_members(&cluster.host);
    ask_snapshot(&view.snapshot, call, to, resolved, &listed)
}

/// What becomes of a call that dials `to`, and how its name was resolved, if it has one. `listed` says whether the members
/// of a cluster that has none are known to be none.
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
    let arrival = Arrival {
        client: SocketAddr::new(client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), 40_000),
        to,
    };
    let sni = sni(call);
    let layer = layer(call, sni.as_deref());
    let asked = Asked {
        snapshot,
        call,
        arrival,
        resolved,
        listed,
    };
    let mut answer = asked.connection(&layer, None)?;
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

/// The Host header: given, else the name that is dialled.
fn host(call: &Call) -> Option<String> {
    let given = call.headers.iter().find(|(name, _)| is_host(name));
    let given = call.host.clone().or_else(|| Some(given?.1.clone()));
    given.or_else(|| match &call.to {
        To::Name(name, _) => Some(name.to_string()),
        To::Address(_) => None,
    })
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority")
}

fn layer(call: &Call, sni: Option<&str>) -> Layer {
    match call.protocol {
        Protocol::Http => Layer::Http(HttpVersion::One),
        Protocol::Http2 => Layer::Http(HttpVersion::Two),
        Protocol::Https | Protocol::Tls => Layer::Tls(ClientHello {
            sni: sni.map(Arc::from),
            alpn: call
                .alpn
                .iter()
                .map(|word| word.as_bytes().into())
                .collect(),
        }),
        Protocol::Tcp => Layer::Opaque,
    }
}

struct Asked<'a> {
    snapshot: &'a Snapshot,
    call: &'a Call,
    arrival: Arrival,
    resolved: Option<String>,
    listed: &'a dyn Fn(&Cluster) -> bool,
}

impl Asked<'_> {
    fn answer(&self, word: Word) -> Answer {
        let mut answer = Answer::new(self.call, self.arrival.to, word);
        answer.trail.extend(self.resolved.clone());
        answer
    }

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
                let mut answer = self.bad(400, "the port speaks HTTP only, and this is not HTTP");
                answer.trail.extend(decision.trail.sentences());
                Ok(answer)
            }
            Verdict::Terminate {
                tls,
                terminated: ended,
            } => {
                let inside = match self.call.protocol {
                    Protocol::Https if self.call.alpn.iter().any(|word| word == "h2") => {
                        Layer::Http(HttpVersion::Two)
                    }
                    Protocol::Https => Layer::Http(HttpVersion::One),
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
            Verdict::Pass | Verdict::Forward(_) | Verdict::Refuse(_) => Ok(self.stream(&decision)),
        }
    }

    /// A decision about bytes.
    fn stream(&self, decision: &ConnectionDecision<'_>) -> Answer {
        let mut answer = match &decision.verdict {
            Verdict::Pass | Verdict::Http | Verdict::Terminate { .. } => {
                self.answer(Word::Passthrough)
            }
            Verdict::Forward(_) => self.answer(Word::Route),
            Verdict::Refuse(refusal) => {
                let (word, flag) = match refusal {
                    Refusal::Blackhole | Refusal::OwnListener => (Word::Blackhole, Some("UH")),
                    Refusal::NoCluster(_) => (Word::Route, Some("NC")),
                    Refusal::NoRoute | Refusal::NoChain
                        if decision.trail.listener.is_none()
                            && self.snapshot.workload.mode == Mode::Gateway =>
                    {
                        (Word::NoListener, None)
                    }
                    Refusal::NoRoute | Refusal::NoChain => (Word::NoChain, Some("NR")),
                };
                let mut answer = self.answer(word);
                answer.flag = flag;
                answer
            }
        };
        answer.cluster = decision.cluster.map(str::to_owned);
        if answer.word == Word::Blackhole {
            answer.cluster = Some(BLACK_HOLE_CLUSTER.to_owned());
        }
        answer.clusters = weighted(decision.trail.shares);
        answer.trail.extend(decision.trail.sentences());
        if let Verdict::Refuse(Refusal::OwnListener) = decision.verdict {
            answer
                .trail
                .push("the call is addressed to a port of egret itself".to_owned());
        }
        if let Verdict::Forward(cluster) = decision.verdict {
            described::cluster(&mut answer, cluster, &Spoken::Bytes, self.listed);
        }
        answer
    }

    fn bad(&self, status: u16, words: &str) -> Answer {
        let mut answer = self.answer(Word::BadRequest);
        answer.status = Some(status);
        answer.trail.push(words.to_owned());
        answer
    }

    fn failed(&self, failure: &Failure) -> Answer {
        let status = failure.status().map_or(400, |status| status.as_u16());
        self.bad(status, &failure.to_string())
    }
}

/// The dice by which the first cluster of several is taken that exists.
fn first_there(shares: Shares<'_>) -> Option<u64> {
    let mut before = 0;
    for share in shares.iter() {
        if share.exists {
            return Some(before);
        }
        before += u64::from(share.weight);
    }
    None
}

/// The clusters and weights of a choice; of a single one there is nothing to tell.
fn weighted(shares: Shares<'_>) -> Vec<(String, u32)> {
    let all: Vec<_> = shares
        .iter()
        .map(|share| (share.cluster.to_owned(), share.weight))
        .collect();
    if all.len() > 1 { all } else { Vec::new() }
}
