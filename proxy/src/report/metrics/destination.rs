//! Whom a call goes to, in the words of Istio's metrics.

use std::borrow::Cow;

use egret_config::decide::outcome::OutcomeKind;
use egret_config::decide::verdict::{ALLOW_ANY, RouteName};
use egret_config::host::split_authority;
use egret_config::model::tls::Hashed;
use egret_config::snapshot::cluster::DestinationService;
use egret_config::snapshot::workload::Mode;

use crate::report::facts::{CallProtocol, Facts};
use crate::report::metrics::context::Context;
use crate::report::metrics::escape::cut;
use crate::report::metrics::names::NameCache;
use crate::report::metrics::series::{Destination, Name, Unrouted};

/// Whom a call goes to. `host` is the host that it named, where it goes to no service.
pub fn destination(
    facts: &Facts,
    mode: Mode,
    host: Option<Name>,
) -> Destination<&Hashed<DestinationService>> {
    match (unrouted(facts), &facts.decision.service) {
        (None, Some(service)) => Destination::Service(service),
        (Some(kind), _) => Destination::Unrouted(kind, host),
        (None, None) => {
            Destination::Unrouted(Unrouted::Answered, host.filter(|_| mode == Mode::Sidecar))
        }
    }
}

/// The host that a request named which goes to no service.
pub fn named(facts: &Facts, context: &Context, cache: &mut NameCache) -> Option<Name> {
    if unrouted(facts).is_none() && facts.decision.service.is_some() {
        return None;
    }
    let host = host(facts)?;
    let is_known = || context.names_host(&host);
    Some(Name(context.hosts.shared(cut(&host), cache, is_known)))
}

/// The host of a request in lower case, without a port that is its connection's own.
pub fn host(facts: &Facts) -> Option<Cow<'_, str>> {
    let authority = facts.request.authority.as_ref()?;
    let authority = String::from_utf8_lossy(authority.as_bytes());
    let own = facts.downstream.local_address.map(|local| local.port());
    let bare = without_port(&authority, own).len();
    let host = match authority {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..bare]),
        Cow::Owned(mut text) => {
            text.truncate(bare);
            Cow::Owned(text)
        }
    };
    match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Some(Cow::Owned(host.to_ascii_lowercase())),
        false => Some(host),
    }
}

fn without_port(authority: &str, own: Option<u16>) -> &str {
    let (_, port) = split_authority(authority);
    match authority.rsplit_once(':') {
        Some((host, _)) if port.is_some() && port == own => host,
        _ => authority,
    }
}

/// What the policy for unknown calls did with a call; `None` where it had nothing to do with it.
fn unrouted(facts: &Facts) -> Option<Unrouted> {
    let decision = &facts.decision;
    let by_policy = || {
        let allow_any =
            matches!(&decision.route, Some(RouteName::BuiltIn(name)) if *name == ALLOW_ANY);
        facts.protocol == CallProtocol::Http && allow_any
    };
    match decision.verdict {
        Some(OutcomeKind::Blackhole) => Some(Unrouted::BlackHole),
        Some(OutcomeKind::Passthrough) => Some(Unrouted::Passthrough),
        _ if by_policy() => Some(Unrouted::Passthrough),
        _ => None,
    }
}

impl Unrouted {
    /// `destination_service_name`; `None` is that of the host.
    pub fn service_name(self) -> Option<&'static str> {
        match self {
            Self::BlackHole => Some(egret_config::snapshot::cluster::BLACK_HOLE_CLUSTER),
            Self::Passthrough => Some(egret_config::snapshot::cluster::PASSTHROUGH_CLUSTER),
            Self::Answered => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egret_config::address::LocalAddress;

    use crate::report::facts::AuthorityFact;

    #[test]
    fn only_the_connections_own_port_is_left_out() {
        for (authority, own, expected) in [
            ("a.test", 80, "a.test"),
            ("A.Test:80", 80, "a.test"),
            ("a.test:8080", 80, "a.test:8080"),
            ("[2001:db8::1]:80", 80, "[2001:db8::1]"),
            ("[2001:db8::1]", 80, "[2001:db8::1]"),
            ("a.test:", 80, "a.test:"),
        ] {
            let mut facts = Facts::begin();
            let authority = authority.parse().expect("an authority");
            facts.request.authority = Some(AuthorityFact::Header(authority));
            facts.downstream.local_address = Some(LocalAddress(([192, 0, 2, 1], own).into()));
            assert_eq!(host(&facts).as_deref(), Some(expected));
        }
    }
}
