//! HTTP rules that no request reaches, because earlier ones take all that they match.

use crate::lint::view::View;
use crate::lint::warning::warning;
use crate::model::http_match::HttpMatch;
use crate::model::source::GatewayName;
use crate::model::virtual_service::VirtualService;
use crate::problem::Problem;

/// How many earlier alternatives of one object each is compared with, besides those that take everything.
const COMPARED_MAX: usize = 500;

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Problem>) {
    let always = HttpMatch::default();
    for vs in &view.objects.virtual_services {
        let mut earlier: Vec<(usize, &HttpMatch)> = Vec::new();
        for (at, rule) in vs.http.iter().enumerate() {
            let own: Vec<&HttpMatch> = if rule.matches.is_empty() {
                vec![&always]
            } else {
                rule.matches.iter().collect()
            };
            let covering_rules: Vec<Option<usize>> = own
                .iter()
                .map(|http_match| {
                    let covering = earlier
                        .iter()
                        .find(|(_, covering)| covering.covers(http_match, &vs.gateways));
                    covering.map(|(rule_index, _)| *rule_index)
                })
                .collect();
            if let Some(Some(covering)) = covering_rules
                .first()
                .filter(|_| covering_rules.iter().all(Option::is_some))
            {
                warnings.push(warning(
                    &vs.meta,
                    format!("spec.http[{at}]"),
                    rule.name.as_deref().unwrap_or_default(),
                    format!("never reached: spec.http[{covering}] matches all of its requests, and rules are tried in order"),
                    "move it before that rule, or remove it",
                ));
            } else {
                for (index, covering) in covering_rules.iter().enumerate() {
                    let within = || sibling(vs, own.get(..index)?, own.get(index)?);
                    let covering = match (covering, within()) {
                        (Some(covering), _) => format!("spec.http[{covering}] matches"),
                        (None, Some(sibling)) => {
                            format!("match[{sibling}] of the same rule matches")
                        }
                        (None, None) => continue,
                    };
                    warnings.push(warning(
                        &vs.meta,
                        format!("spec.http[{at}].match[{index}]"),
                        rule.name.as_deref().unwrap_or_default(),
                        format!("has no effect: {covering} all of its requests before it"),
                        "move it before the rule that matches first, or remove it",
                    ));
                }
            }
            unbound(vs, at, &rule.matches, warnings);
            for http_match in own {
                if earlier.len() < COMPARED_MAX || http_match.takes_all() {
                    earlier.push((at, http_match));
                }
            }
        }
    }
}

/// The earlier alternative of the same rule that takes all that one matches.
fn sibling(vs: &VirtualService, earlier: &[&HttpMatch], http_match: &HttpMatch) -> Option<usize> {
    let near = earlier.get(..earlier.len().min(COMPARED_MAX))?;
    near.iter()
        .position(|covering| covering.covers(http_match, &vs.gateways))
}

/// Matches for gateways that the object is not bound to.
fn unbound(vs: &VirtualService, at: usize, matches: &[HttpMatch], warnings: &mut Vec<Problem>) {
    if vs.hosts.is_empty() {
        return;
    }
    for (index, http_match) in matches.iter().enumerate() {
        let named = &http_match.source.gateways;
        if !named.is_empty()
            && !named
                .iter()
                .any(|name| vs.gateways.iter().any(|own| alike(own, name)))
        {
            warnings.push(warning(
                &vs.meta,
                format!("spec.http[{at}].match[{index}].gateways"),
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
