//! One HTTP rule.

use std::sync::Arc;
use std::time::Duration;

use crate::header_names::is_authority;
use crate::model::destination::Destination;
use crate::model::http_match::HttpMatch;
use crate::model::read;
use crate::model::route::cors::{self, Cors};
use crate::model::route::direct_response::{self, DirectResponse};
use crate::model::route::fault::{self, Fault};
use crate::model::route::headers::{self, HeaderChanges};
use crate::model::route::mirrors::{self, Mirror};
use crate::model::route::redirect::{self, Redirect};
use crate::model::route::retries::{self, Retries};
use crate::model::route::rewrite::{self, Rewrite};
use crate::model::route::{conditions, weights};
use crate::name::ObjectName;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::virtual_service as wire;

/// One rule of a VirtualService's `http` list.
#[derive(Clone, Debug)]
pub struct HttpRoute {
    /// `name`.
    pub name: Option<Arc<str>>,
    /// Alternatives; none is always.
    pub matches: Vec<HttpMatch>,
    /// What is done.
    pub action: HttpAction,
    /// `rewrite`.
    pub rewrite: Option<Rewrite>,
    /// `timeout`; `None` is none.
    pub timeout: Option<Duration>,
    /// `retries`; `None` is the mesh's default.
    pub retries: Option<Retries>,
    /// `fault`.
    pub fault: Option<Fault>,
    /// `mirror` and `mirrors`.
    pub mirrors: Vec<Mirror>,
    /// `corsPolicy`.
    pub cors: Option<Cors>,
    /// `headers` of the rule.
    pub headers: HeaderChanges,
}

/// What an HTTP rule does.
#[derive(Clone, Debug)]
pub enum HttpAction {
    /// `route`: never empty.
    Route(Vec<HttpDestination>),
    /// `redirect`.
    Redirect(Redirect),
    /// `directResponse`.
    Respond(DirectResponse),
    /// `delegate`: the rules of another VirtualService.
    Delegate(ObjectName),
}

/// Where to, in which share, with which header changes.
#[derive(Clone, Debug)]
pub struct HttpDestination {
    /// The clusters.
    pub destination: Destination,
    /// Share of the sum; ignored when it is the only one.
    pub weight: u32,
    /// `headers` of the destination.
    pub headers: HeaderChanges,
}

/// Reads one rule. `delegate` is true when its VirtualService is a delegate.
pub(in crate::model) fn parse(
    wire: &wire::HttpRoute,
    namespace: &Arc<str>,
    delegate: bool,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<HttpRoute> {
    if delegate && wire.delegate.is_some() {
        diagnostics.error(
            "delegate",
            NO_VALUE,
            "a delegate cannot have delegates of its own",
        );
    }
    let matches = diagnostics.each("match", &wire.matches, |diagnostics, wire| {
        Some(conditions::parse(wire, namespace, diagnostics))
    });
    let action = action(wire, namespace, diagnostics);
    let rewrite = wire.rewrite.as_ref().and_then(|wire| {
        diagnostics.within("rewrite", |diagnostics| rewrite::parse(wire, diagnostics))
    });
    let headers = headers::parse(wire.headers.as_ref(), diagnostics);
    one_authority(wire, diagnostics);
    Some(HttpRoute {
        name: read::optional(&wire.name),
        matches,
        action: action?,
        rewrite,
        timeout: read::time_limit(diagnostics, "timeout", wire.timeout.as_ref()),
        retries: wire.retries.as_ref().map(|wire| {
            diagnostics.within("retries", |diagnostics| retries::parse(wire, diagnostics))
        }),
        fault: wire
            .fault
            .as_ref()
            .map(|wire| diagnostics.within("fault", |diagnostics| fault::parse(wire, diagnostics))),
        mirrors: mirrors::parse(wire, namespace, diagnostics),
        cors: wire.cors_policy.as_ref().map(|wire| {
            diagnostics.within("corsPolicy", |diagnostics| cors::parse(wire, diagnostics))
        }),
        headers,
    })
}

/// Exactly one of `route`, `redirect`, `directResponse` and `delegate`.
fn action(
    wire: &wire::HttpRoute,
    namespace: &Arc<str>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<HttpAction> {
    let written = [
        ("route", !wire.route.is_empty()),
        ("redirect", wire.redirect.is_some()),
        ("directResponse", wire.direct_response.is_some()),
        ("delegate", wire.delegate.is_some()),
    ];
    let mut used = written
        .iter()
        .filter(|(_, used)| *used)
        .map(|(part, _)| *part);
    let Some(first) = used.next() else {
        diagnostics.error(
            "",
            NO_VALUE,
            "one of route, redirect, directResponse and delegate is required",
        );
        return None;
    };
    if let Some(second) = used.next() {
        diagnostics.error(
            second,
            NO_VALUE,
            format!("a rule cannot have both {first} and {second}"),
        );
    }
    if matches!(first, "redirect" | "directResponse") {
        for (part, used) in [
            ("fault", wire.fault.is_some()),
            ("rewrite", wire.rewrite.is_some()),
        ] {
            if used {
                diagnostics.error(
                    part,
                    NO_VALUE,
                    format!("a rule cannot have both {first} and {part}"),
                );
            }
        }
    }
    if let Some(redirect) = &wire.redirect {
        return diagnostics
            .within("redirect", |diagnostics| {
                redirect::parse(redirect, diagnostics)
            })
            .map(HttpAction::Redirect);
    }
    if let Some(response) = &wire.direct_response {
        return diagnostics
            .within("directResponse", |diagnostics| {
                direct_response::parse(response, diagnostics)
            })
            .map(HttpAction::Respond);
    }
    if let Some(delegate) = &wire.delegate {
        if delegate.name.is_empty() {
            diagnostics.error("delegate.name", NO_VALUE, "required");
        }
        let of = match delegate.namespace.as_str() {
            "" => namespace,
            other => other,
        };
        return Some(HttpAction::Delegate(ObjectName::new(
            of,
            delegate.name.as_str(),
        )));
    }
    weights::check(diagnostics, wire.route.iter().map(|one| one.weight));
    let destinations = diagnostics.each("route", &wire.route, |diagnostics, one| {
        let destination = read::destination(
            diagnostics,
            "destination",
            one.destination.as_ref(),
            namespace,
        );
        let headers = headers::parse(one.headers.as_ref(), diagnostics);
        Some(HttpDestination {
            weight: weights::weight(diagnostics, one.weight)?,
            destination: destination?,
            headers,
        })
    });
    Some(HttpAction::Route(destinations))
}

/// `rewrite.authority` and the request headers `Host` and `:authority` all set the same thing.
fn one_authority(wire: &wire::HttpRoute, diagnostics: &mut Diagnostics<'_>) {
    let request = wire
        .headers
        .as_ref()
        .and_then(|headers| headers.request.as_ref());
    let named = request
        .into_iter()
        .flat_map(|request| request.set.keys().chain(request.add.keys()))
        .filter(|name| is_authority(name));
    let rewritten = wire
        .rewrite
        .as_ref()
        .is_some_and(|rewrite| !rewrite.authority.is_empty());
    if named.count() + usize::from(rewritten) > 1 {
        diagnostics.error(
            "headers.request",
            NO_VALUE,
            "the authority is set in several places",
        );
    }
}
