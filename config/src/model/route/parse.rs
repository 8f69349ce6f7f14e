//! HTTP rules, read.

use std::sync::Arc;

use crate::model::read;
use crate::model::route::{
    Abort, Fault, HttpAction, HttpDestination, HttpRoute, Mirror, PathRewrite, Rewrite, answers,
    conditions, headers, tries,
};
use crate::model::virtual_service::parse::{check_weights, weight};
use crate::name::ObjectName;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::re2;
use crate::wire::shared::Percent;
use crate::wire::virtual_service as wire;

/// Reads one rule. `delegate` says that its VirtualService is one.
pub(crate) fn rule(
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
    let rewrite = wire
        .rewrite
        .as_ref()
        .and_then(|wire| diagnostics.within("rewrite", |diagnostics| rewrite(wire, diagnostics)));
    let headers = headers::parse(wire.headers.as_ref(), diagnostics);
    one_authority(wire, diagnostics);
    Some(HttpRoute {
        name: read::optional(&wire.name),
        matches,
        action: action?,
        rewrite,
        timeout: read::time_limit(diagnostics, "timeout", wire.timeout.as_ref()),
        retries: wire.retries.as_ref().map(|wire| {
            diagnostics.within("retries", |diagnostics| tries::parse(wire, diagnostics))
        }),
        fault: wire
            .fault
            .as_ref()
            .map(|wire| diagnostics.within("fault", |diagnostics| fault(wire, diagnostics))),
        mirrors: mirrors(wire, namespace, diagnostics),
        cors: wire.cors_policy.as_ref().map(|wire| {
            diagnostics.within("corsPolicy", |diagnostics| answers::cors(wire, diagnostics))
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
                answers::redirect(redirect, diagnostics)
            })
            .map(HttpAction::Redirect);
    }
    if let Some(response) = &wire.direct_response {
        return diagnostics
            .within("directResponse", |diagnostics| {
                answers::direct(response, diagnostics)
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
    check_weights(diagnostics, wire.route.iter().map(|one| one.weight));
    let destinations = diagnostics.each("route", &wire.route, |diagnostics, one| {
        let destination = read::destination(
            diagnostics,
            "destination",
            one.destination.as_ref(),
            namespace,
        );
        let headers = headers::parse(one.headers.as_ref(), diagnostics);
        Some(HttpDestination {
            weight: weight(diagnostics, one.weight)?,
            destination: destination?,
            headers,
        })
    });
    Some(HttpAction::Route(destinations))
}

fn rewrite(wire: &wire::HttpRewrite, diagnostics: &mut Diagnostics<'_>) -> Option<Rewrite> {
    headers::check_text(diagnostics, "uri", &wire.uri);
    headers::check_text(diagnostics, "authority", &wire.authority);
    let authority = read::optional(&wire.authority);
    let path = match (&*wire.uri, &wire.uri_regex_rewrite) {
        ("", None) => None,
        (uri, None) => Some(PathRewrite::Uri(uri.into())),
        (uri, Some(regex)) => {
            if !uri.is_empty() {
                diagnostics.error(
                    "uriRegexRewrite",
                    NO_VALUE,
                    "only one of uri and uriRegexRewrite",
                );
            }
            if regex.rewrite.is_empty() {
                diagnostics.error("uriRegexRewrite.rewrite", NO_VALUE, "required");
            }
            match re2::part(&regex.matches) {
                Ok(pattern) => Some(PathRewrite::Regex {
                    pattern,
                    substitution: regex.rewrite.as_str().into(),
                }),
                Err(fault) => {
                    diagnostics.error("uriRegexRewrite.match", &regex.matches, fault);
                    None
                }
            }
        }
    };
    if path.is_none() && authority.is_none() && diagnostics.passed() {
        diagnostics.error(
            "",
            NO_VALUE,
            "one of uri, uriRegexRewrite and authority is required",
        );
    }
    Some(Rewrite { path, authority })
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
        .filter(|name| headers::is_authority(name));
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

fn fault(wire: &wire::HttpFault, diagnostics: &mut Diagnostics<'_>) -> Fault {
    if wire.delay.is_none() && wire.abort.is_none() {
        diagnostics.error("", NO_VALUE, "a delay or an abort is required");
    }
    let delay = wire.delay.as_ref().and_then(|wire| {
        diagnostics.within("delay", |diagnostics| {
            if wire.exponential_delay.is_some() {
                diagnostics.error(
                    "exponentialDelay",
                    NO_VALUE,
                    ("does not exist", "write fixedDelay"),
                );
            }
            let share = share(wire.percentage.as_ref(), wire.percent, diagnostics);
            let delay =
                read::positive_duration(diagnostics, "fixedDelay", wire.fixed_delay.as_ref())?;
            Some((share, delay))
        })
    });
    let abort = wire.abort.as_ref().and_then(|wire| {
        diagnostics.within("abort", |diagnostics| {
            let share = share(wire.percentage.as_ref(), wire.percent, diagnostics);
            Some((share, abort(wire, diagnostics)?))
        })
    });
    Fault { delay, abort }
}

fn abort(wire: &wire::FaultAbort, diagnostics: &mut Diagnostics<'_>) -> Option<Abort> {
    if wire.http2_error.is_some() {
        diagnostics.error(
            "http2Error",
            NO_VALUE,
            ("does not exist", "write httpStatus or grpcStatus"),
        );
    }
    if let Some(status) = wire.http_status {
        if let Some(code) = u16::try_from(status)
            .ok()
            .filter(|code| (200..=600).contains(code))
        {
            return Some(Abort::Http(code));
        }
        diagnostics.error("httpStatus", status, "expected a status from 200 to 600");
        return None;
    }
    let Some(word) = &wire.grpc_status else {
        diagnostics.warn(
            "",
            NO_VALUE,
            "neither httpStatus nor grpcStatus, so nothing is aborted",
        );
        return None;
    };
    let Some(number) = GRPC_STATUSES.iter().position(|status| status == word) else {
        diagnostics.error(
            "grpcStatus",
            word,
            "expected the name of a gRPC status, such as UNAVAILABLE",
        );
        return None;
    };
    u16::try_from(number).ok().map(Abort::Grpc)
}

/// The names of the gRPC statuses; each one's number is its place.
const GRPC_STATUSES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The share of a fault; unset is none at all.
fn share(percentage: Option<&Percent>, percent: i32, diagnostics: &mut Diagnostics<'_>) -> u32 {
    match percentage {
        Some(percentage) => read::share(diagnostics, "percentage.value", percentage.value),
        None => read::millionths(diagnostics, "percent", f64::from(percent)),
    }
}

fn mirrors(
    wire: &wire::HttpRoute,
    namespace: &Arc<str>,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<Mirror> {
    if wire.mirror.is_some() && !wire.mirrors.is_empty() {
        diagnostics.error("mirrors", NO_VALUE, "only one of mirror and mirrors");
    }
    let old = wire.mirror_percent.map(|percent| {
        diagnostics.warn(
            "mirrorPercent",
            percent,
            ("the old form", "write mirrorPercentage"),
        );
        read::millionths(diagnostics, "mirrorPercent", f64::from(percent))
    });
    let new = wire.mirror_percentage.as_ref();
    let share =
        new.map(|share| read::millionths(diagnostics, "mirrorPercentage.value", share.value));
    if let Some(destination) = &wire.mirror {
        let share = share.or(old).unwrap_or(1_000_000);
        let destination = read::destination(diagnostics, "mirror", Some(destination), namespace);
        return destination
            .map(|destination| Mirror { destination, share })
            .into_iter()
            .collect();
    }
    diagnostics.each("mirrors", &wire.mirrors, |diagnostics, wire| {
        let share = wire.percentage.as_ref().map_or(1_000_000, |percentage| {
            read::millionths(diagnostics, "percentage.value", percentage.value)
        });
        let destination = read::destination(
            diagnostics,
            "destination",
            wire.destination.as_ref(),
            namespace,
        );
        Some(Mirror {
            destination: destination?,
            share,
        })
    })
}
