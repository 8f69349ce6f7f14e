//! HTTP rules, read.

use std::sync::Arc;

use crate::model::read;
use crate::model::regex;
use crate::model::route::Abort;
use crate::model::route::Fault;
use crate::model::route::HttpAction;
use crate::model::route::HttpDestination;
use crate::model::route::HttpRoute;
use crate::model::route::Mirror;
use crate::model::route::PathRewrite;
use crate::model::route::Rewrite;
use crate::model::route::answers;
use crate::model::route::conditions;
use crate::model::route::headers;
use crate::model::route::tries;
use crate::model::virtual_service::parse::check_weights;
use crate::model::virtual_service::parse::weight;
use crate::name::ObjectName;
use crate::problem::NO_VALUE;
use crate::problem::Review;
use crate::wire::shared::Percent;
use crate::wire::virtual_service as wire;

/// Reads one rule. `delegate` says that its VirtualService is one.
pub(crate) fn rule(
    wire: &wire::HttpRoute,
    namespace: &Arc<str>,
    delegate: bool,
    review: &mut Review<'_>,
) -> Option<HttpRoute> {
    if delegate && wire.delegate.is_some() {
        review.error(
            "delegate",
            NO_VALUE,
            "a delegate cannot have delegates of its own",
        );
    }
    let matches = review.each("match", &wire.matches, |review, wire| {
        Some(conditions::parse(wire, namespace, review))
    });
    let action = action(wire, namespace, review);
    let rewrite = wire
        .rewrite
        .as_ref()
        .and_then(|wire| review.within("rewrite", |review| rewrite(wire, review)));
    let headers = headers::parse(wire.headers.as_ref(), review);
    one_authority(wire, review);
    Some(HttpRoute {
        name: read::optional(&wire.name),
        matches,
        action: action?,
        rewrite,
        timeout: read::time_limit(review, "timeout", wire.timeout.as_ref()),
        retries: wire
            .retries
            .as_ref()
            .map(|wire| review.within("retries", |review| tries::parse(wire, review))),
        fault: wire
            .fault
            .as_ref()
            .map(|wire| review.within("fault", |review| fault(wire, review))),
        mirrors: mirrors(wire, namespace, review),
        cors: wire
            .cors_policy
            .as_ref()
            .map(|wire| review.within("corsPolicy", |review| answers::cors(wire, review))),
        headers,
    })
}

/// Exactly one of `route`, `redirect`, `directResponse` and `delegate`.
fn action(
    wire: &wire::HttpRoute,
    namespace: &Arc<str>,
    review: &mut Review<'_>,
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
        review.error(
            "",
            NO_VALUE,
            "one of route, redirect, directResponse and delegate is required",
        );
        return None;
    };
    if let Some(second) = used.next() {
        review.error(
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
                review.error(
                    part,
                    NO_VALUE,
                    format!("a rule cannot have both {first} and {part}"),
                );
            }
        }
    }
    if let Some(redirect) = &wire.redirect {
        return review
            .within("redirect", |review| answers::redirect(redirect, review))
            .map(HttpAction::Redirect);
    }
    if let Some(response) = &wire.direct_response {
        return review
            .within("directResponse", |review| answers::direct(response, review))
            .map(HttpAction::Respond);
    }
    if let Some(delegate) = &wire.delegate {
        if delegate.name.is_empty() {
            review.error("delegate.name", NO_VALUE, "required");
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
    check_weights(review, wire.route.iter().map(|one| one.weight));
    let destinations = review.each("route", &wire.route, |review, one| {
        let destination =
            read::destination(review, "destination", one.destination.as_ref(), namespace);
        let headers = headers::parse(one.headers.as_ref(), review);
        Some(HttpDestination {
            weight: weight(review, one.weight)?,
            destination: destination?,
            headers,
        })
    });
    Some(HttpAction::Route(destinations))
}

fn rewrite(wire: &wire::HttpRewrite, review: &mut Review<'_>) -> Option<Rewrite> {
    headers::check_text(review, "uri", &wire.uri);
    headers::check_text(review, "authority", &wire.authority);
    let authority = read::optional(&wire.authority);
    let path = match (&*wire.uri, &wire.uri_regex_rewrite) {
        ("", None) => None,
        (uri, None) => Some(PathRewrite::Uri(uri.into())),
        (uri, Some(regex)) => {
            if !uri.is_empty() {
                review.error(
                    "uriRegexRewrite",
                    NO_VALUE,
                    "only one of uri and uriRegexRewrite",
                );
            }
            if regex.rewrite.is_empty() {
                review.error("uriRegexRewrite.rewrite", NO_VALUE, "required");
            }
            match regex::part(&regex.matches) {
                Ok(pattern) => Some(PathRewrite::Regex {
                    pattern,
                    substitution: regex.rewrite.as_str().into(),
                }),
                Err(fault) => {
                    review.error("uriRegexRewrite.match", &regex.matches, fault);
                    None
                }
            }
        }
    };
    if path.is_none() && authority.is_none() && review.passed() {
        review.error(
            "",
            NO_VALUE,
            "one of uri, uriRegexRewrite and authority is required",
        );
    }
    Some(Rewrite { path, authority })
}

/// `rewrite.authority` and the request headers `Host` and `:authority` all set the same thing.
fn one_authority(wire: &wire::HttpRoute, review: &mut Review<'_>) {
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
        review.error(
            "headers.request",
            NO_VALUE,
            "the authority is set in several places",
        );
    }
}

fn fault(wire: &wire::HttpFault, review: &mut Review<'_>) -> Fault {
    if wire.delay.is_none() && wire.abort.is_none() {
        review.error("", NO_VALUE, "a delay or an abort is required");
    }
    let delay = wire.delay.as_ref().and_then(|wire| {
        review.within("delay", |review| {
            if wire.exponential_delay.is_some() {
                review.error(
                    "exponentialDelay",
                    NO_VALUE,
                    ("does not exist", "write fixedDelay"),
                );
            }
            let share = share(wire.percentage.as_ref(), wire.percent, review);
            let delay = read::positive_duration(review, "fixedDelay", wire.fixed_delay.as_ref())?;
            Some((share, delay))
        })
    });
    let abort = wire.abort.as_ref().and_then(|wire| {
        review.within("abort", |review| {
            let share = share(wire.percentage.as_ref(), wire.percent, review);
            Some((share, abort(wire, review)?))
        })
    });
    Fault { delay, abort }
}

fn abort(wire: &wire::FaultAbort, review: &mut Review<'_>) -> Option<Abort> {
    if wire.http2_error.is_some() {
        review.error(
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
        review.error("httpStatus", status, "expected a status from 200 to 600");
        return None;
    }
    let Some(word) = &wire.grpc_status else {
        review.warn(
            "",
            NO_VALUE,
            "neither httpStatus nor grpcStatus, so nothing is aborted",
        );
        return None;
    };
    let Some(number) = GRPC_STATUSES.iter().position(|status| status == word) else {
        review.error(
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
fn share(percentage: Option<&Percent>, percent: i32, review: &mut Review<'_>) -> u32 {
    match percentage {
        Some(percentage) => read::share(review, "percentage.value", percentage.value),
        None => read::millionths(review, "percent", f64::from(percent)),
    }
}

fn mirrors(wire: &wire::HttpRoute, namespace: &Arc<str>, review: &mut Review<'_>) -> Vec<Mirror> {
    if wire.mirror.is_some() && !wire.mirrors.is_empty() {
        review.error("mirrors", NO_VALUE, "only one of mirror and mirrors");
    }
    let old = wire.mirror_percent.map(|percent| {
        review.warn(
            "mirrorPercent",
            percent,
            ("the old form", "write mirrorPercentage"),
        );
        read::millionths(review, "mirrorPercent", f64::from(percent))
    });
    let new = wire.mirror_percentage.as_ref();
    let share = new.map(|share| read::millionths(review, "mirrorPercentage.value", share.value));
    if let Some(destination) = &wire.mirror {
        let share = share.or(old).unwrap_or(1_000_000);
        let destination = read::destination(review, "mirror", Some(destination), namespace);
        return destination
            .map(|destination| Mirror { destination, share })
            .into_iter()
            .collect();
    }
    review.each("mirrors", &wire.mirrors, |review, wire| {
        let share = wire.percentage.as_ref().map_or(1_000_000, |percentage| {
            read::millionths(review, "percentage.value", percentage.value)
        });
        let destination =
            read::destination(review, "destination", wire.destination.as_ref(), namespace);
        Some(Mirror {
            destination: destination?,
            share,
        })
    })
}
