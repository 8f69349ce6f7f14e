//! HTTP rules that no request reaches, because earlier ones take all that they match.

use crate::lint::view::View;
use crate::lint::warning::warning;
use crate::model::http_match::HttpMatch;
use crate::model::source::GatewayName;
use crate::model::virtual_service::VirtualService;
use crate::problem::Problem;

/// How many earlier alternatives of one object each is compared with, besides those that take everything.
const COMPARED_MAX: usize = 500;

pub(super) fn check(view: &View<'_>, found: &mut Vec<Problem>) {
    let always = HttpMatch::default();
    for vs in &view.objects.virtual_services {
        let mut earlier: Vec<(usize, &HttpMatch)> = Vec::new();
        for (at, rule) in vs.http.iter().enumerate() {
            let own: Vec<&HttpMatch> = if rule.matches.is_empty() {
                vec![&always]
            } else {
                rule.matches.iter().collect()
            };
            let takers: Vec<Option<usize>> = own
                .iter()
                .map(|wanted| {
                    let taker = earlier
                        .iter()
                        .find(|(_, taker)| taker.covers(wanted, &vs.gateways));
                    taker.map(|(place, _)| *place)
                })
                .collect();
            if let Some(Some(taker)) = takers
                .first()
                .filter(|_| takers.iter().all(Option::is_some))
            {
                found.push(warning(
                    &vs.meta,
                    format!("spec.http[{at}]"),
                    rule.name.as_deref().unwrap_or_default(),
                    format!("never reached: spec.http[{taker}] matches all of its requests, and rules are tried in order"),
                    "move it before that rule, or remove it",
                ));
            } else {
                for (place, taker) in takers.iter().enumerate() {
                    let within = || sibling(vs, own.get(..place)?, own.get(place)?);
                    let taker = match (taker, within()) {
                        (Some(taker), _) => format!("spec.http[{taker}] matches"),
                        (None, Some(sibling)) => {
                            format!("match[{sibling}] of the same rule matches")
                        }
                        (None, None) => continue,
                    };
                    found.push(warning(
                        &vs.meta,
                        format!("spec.http[{at}].match[{place}]"),
                        rule.name.as_deref().unwrap_or_default(),
                        format!("has no effect: {taker} all of its requests before it"),
                        "move it before the rule that matches first, or remove it",
                    ));
                }
            }
            unbound(vs, at, &rule.matches, found);
            for wanted in own {
                if earlier.len() < COMPARED_MAX || wanted.takes_all() {
                    earlier.push((at, wanted));
                }
            }
        }
    }
}

/// The earlier alternative of the same rule that takes all that one matches.
fn sibling(vs: &VirtualService, earlier: &[&HttpMatch], wanted: &HttpMatch) -> Option<usize> {
    let near = earlier.get(..earlier.len().min(COMPARED_MAX))?;
    near.iter()
        .position(|taker| taker.covers(wanted, &vs.gateways))
}

/// Matches for gateways that the object is not bound to.
fn unbound(vs: &VirtualService, at: usize, matches: &[HttpMatch], found: &mut Vec<Problem>) {
    if vs.hosts.is_empty() {
        return;
    }
    for (place, wanted) in matches.iter().enumerate() {
        let named = &wanted.source.gateways;
        if !named.is_empty()
            && !named
                .iter()
                .any(|name| vs.gateways.iter().any(|own| alike(own, name)))
        {
            found.push(warning(
                &vs.meta,
                format!("spec.http[{at}].match[{place}].gateways"),
                &named.iter().map(name_of).collect::<Vec<_>>().join(", "),
                "spec.gateways has none of these: it never matches",
                "add the gateway to spec.gateways, or leave `gateways` of the match out",
            ));
        }
    }
}

/// Whether two names may mean one Gateway: a bare name may fall back to the root namespace.
fn alike(one: &GatewayName, other: &GatewayName) -> bool {
    match (one, other) {
        (GatewayName::Mesh, GatewayName::Mesh) => true,
        (
            GatewayName::Gateway { name: one, bare },
            GatewayName::Gateway {
                name: other,
                bare: also,
            },
        ) => one == other || ((*bare || *also) && one.name == other.name),
        (GatewayName::Mesh, _) | (_, GatewayName::Mesh) => false,
    }
}

fn name_of(name: &GatewayName) -> String {
    match name {
        GatewayName::Mesh => "mesh".to_owned(),
        GatewayName::Gateway { name, .. } => name.to_string(),
    }
}
