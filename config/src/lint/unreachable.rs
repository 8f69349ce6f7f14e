//! HTTP rules that no request reaches, because earlier ones take all that they match.

use crate::lint::View;
use crate::lint::finding;
use crate::model::route::HttpMatch;
use crate::model::virtual_service::GatewayName;
use crate::model::virtual_service::SourceMatch;
use crate::model::virtual_service::VirtualService;
use crate::problem::Problem;
use crate::value::StringMatch;

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
                    let taker = earlier.iter().find(|(_, taker)| takes(vs, taker, wanted));
                    taker.map(|(place, _)| *place)
                })
                .collect();
            if let Some(Some(taker)) = takers
                .first()
                .filter(|_| takers.iter().all(Option::is_some))
            {
                found.push(finding(
                    &vs.meta,
                    format!("spec.http[{at}]"),
                    rule.name.as_deref().unwrap_or_default(),
                    format!("never reached: spec.http[{taker}] takes all that it matches, and rules are tried in order"),
                    "move it before that rule, or take it out",
                ));
            } else {
                for (place, taker) in takers.iter().enumerate() {
                    let within = || sibling(vs, own.get(..place)?, own.get(place)?);
                    let taker = match (taker, within()) {
                        (Some(taker), _) => format!("spec.http[{taker}] takes"),
                        (None, Some(sibling)) => format!("match[{sibling}] of the same rule takes"),
                        (None, None) => continue,
                    };
                    found.push(finding(
                        &vs.meta,
                        format!("spec.http[{at}].match[{place}]"),
                        rule.name.as_deref().unwrap_or_default(),
                        format!("makes no difference: {taker} all that it matches"),
                        "move it before what takes it, or take it out",
                    ));
                }
            }
            unbound(vs, at, &rule.matches, found);
            for wanted in own {
                if earlier.len() < COMPARED_MAX || is_wide(wanted) {
                    earlier.push((at, wanted));
                }
            }
        }
    }
}

/// The earlier alternative of the same rule that takes all that one matches.
fn sibling(vs: &VirtualService, earlier: &[&HttpMatch], wanted: &HttpMatch) -> Option<usize> {
    let near = earlier.get(..earlier.len().min(COMPARED_MAX))?;
    near.iter().position(|taker| takes(vs, taker, wanted))
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
            found.push(finding(
                &vs.meta,
                format!("spec.http[{at}].match[{place}].gateways"),
                &named.iter().map(name_of).collect::<Vec<_>>().join(", "),
                "spec.gateways has none of these: nothing ever matches",
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

fn is_wide(wanted: &HttpMatch) -> bool {
    every_path(wanted) && wanted.headers.is_empty() && wanted.query.is_empty()
}

/// Whether the path makes no difference: every path begins with a slash.
fn every_path(wanted: &HttpMatch) -> bool {
    match &wanted.uri {
        None => true,
        Some(StringMatch::Prefix(prefix) | StringMatch::PrefixIgnoreCase(prefix))
            if **prefix == *"/" =>
        {
            true
        }
        Some(uri) => covers(uri, &StringMatch::Present),
    }
}

/// Whether every request that meets `later` meets `earlier` as well.
fn takes(vs: &VirtualService, earlier: &HttpMatch, later: &HttpMatch) -> bool {
    let one = |earlier: &Option<StringMatch>, later: &Option<StringMatch>| match (earlier, later) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(earlier), Some(later)) => covers(earlier, later),
    };
    let path = every_path(earlier) || one(&earlier.uri, &later.uri);
    type Named = [(std::sync::Arc<str>, StringMatch)];
    let each = |earlier: &Named, later: &Named| {
        earlier.iter().all(|(name, wanted)| {
            later
                .iter()
                .any(|(other, narrower)| other == name && covers(wanted, narrower))
        })
    };
    let same = |earlier: &Named, later: &Named| {
        earlier.iter().all(|(name, wanted)| {
            later
                .iter()
                .any(|(other, one)| other == name && covers(wanted, one) && covers(one, wanted))
        })
    };
    source_takes(vs, &earlier.source, &later.source)
        && path
        && one(&earlier.scheme, &later.scheme)
        && one(&earlier.method, &later.method)
        && one(&earlier.authority, &later.authority)
        && each(&earlier.headers, &later.headers)
        && each(&earlier.query, &later.query)
        && same(&earlier.without_headers, &later.without_headers)
}

fn source_takes(vs: &VirtualService, earlier: &SourceMatch, later: &SourceMatch) -> bool {
    let of_later = if later.gateways.is_empty() {
        &vs.gateways
    } else {
        &later.gateways
    };
    earlier.port.is_none_or(|port| later.port == Some(port))
        && (earlier.gateways.is_empty()
            || of_later.iter().all(|name| earlier.gateways.contains(name)))
        && earlier.labels.select(&later.labels)
        && (earlier.namespace.is_none() || earlier.namespace == later.namespace)
}

/// Whether every text that `narrower` matches is matched by `wider`. `Present` as the narrower one is any text.
fn covers(wider: &StringMatch, narrower: &StringMatch) -> bool {
    match (wider, narrower) {
        (StringMatch::Present, _) => true,
        (StringMatch::Regex(regex), _) if regex.as_str() == "^(?:.*)$" => true,
        (StringMatch::Regex(wider), StringMatch::Regex(narrower)) => {
            wider.as_str() == narrower.as_str()
        }
        (StringMatch::Prefix(wider) | StringMatch::PrefixIgnoreCase(wider), _)
            if wider.is_empty() =>
        {
            true
        }
        (StringMatch::Prefix(wider), StringMatch::Exact(text) | StringMatch::Prefix(text)) => {
            text.starts_with(&**wider)
        }
        (
            StringMatch::PrefixIgnoreCase(wider),
            StringMatch::Exact(text)
            | StringMatch::Prefix(text)
            | StringMatch::ExactIgnoreCase(text)
            | StringMatch::PrefixIgnoreCase(text),
        ) => text
            .get(..wider.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(wider)),
        (StringMatch::Exact(wider), StringMatch::Exact(text)) => wider == text,
        (
            StringMatch::ExactIgnoreCase(wider),
            StringMatch::Exact(text) | StringMatch::ExactIgnoreCase(text),
        ) => wider.eq_ignore_ascii_case(text),
        (StringMatch::Regex(regex), StringMatch::Exact(text)) => regex.is_match(text.as_bytes()),
        _ => false,
    }
}
