//! Which virtual host and which rule a request has, and what the rule does.

use std::borrow::Cow;

use crate::decide::Dice;
use crate::decide::call::Request;
use crate::decide::location;
use crate::decide::sidecar::refused;
use crate::decide::split::split;
use crate::decide::trail::Miss;
use crate::decide::trail::Shares;
use crate::decide::trail::Trail;
use crate::decide::trail::Tried;
use crate::decide::verdict::Answer;
use crate::decide::verdict::Forward;
use crate::decide::verdict::Refusal;
use crate::decide::verdict::RequestDecision;
use crate::decide::verdict::RequestVerdict;
use crate::host::split_authority;
use crate::model::route::HeaderChanges;
use crate::model::route::HeaderOperations;
use crate::model::route::HttpAction;
use crate::model::route::HttpDestination;
use crate::model::route::HttpMatch;
use crate::snapshot::Snapshot;
use crate::snapshot::chains::Target;
use crate::snapshot::table::Action;
use crate::snapshot::table::RouteTable;
use crate::snapshot::table::Rule;
use crate::snapshot::table::RuleAction;
use crate::snapshot::table::VirtualHost;
use crate::value::StringMatch;

/// The virtual host of an authority: lower case, without port unless the table's names have ports.
pub(crate) fn virtual_host<'s>(table: &'s RouteTable, authority: &str) -> Option<&'s VirtualHost> {
    let (host, port) = split_authority(authority);
    if table.has_ports && port.is_some() {
        return table.find(&lower(authority));
    }
    table.find(&lower(host))
}

fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// The first rule of a virtual host that matches, and what it does.
pub(crate) fn decide<'s>(
    snapshot: &'s Snapshot,
    host: &'s VirtualHost,
    call: &Request<'_>,
    mut trail: Trail<'s>,
    dice: Dice<'_>,
) -> RequestDecision<'s> {
    trail.virtual_host = Some(&host.name);
    if host.to_https && call.scheme != "https" {
        return RequestDecision {
            verdict: RequestVerdict::Answer(Answer::Redirect {
                status: 301,
                location: location::to_https(call),
                headers: None,
            }),
            virtual_host: Some(&host.name),
            route: None,
            rule: None,
            trail,
        };
    }
    let path = match call.path {
        "*" => "/",
        path => path,
    };
    for rule in &host.rules {
        match rule.condition().and_then(|wanted| miss(wanted, call, path)) {
            None => return act(snapshot, rule, call, path, trail, dice),
            Some(why) => trail.tried.push(Tried {
                rule: &rule.origin,
                why,
            }),
        }
    }
    refused(Refusal::NoRoute, None, trail)
}

fn act<'s>(
    snapshot: &'s Snapshot,
    rule: &'s Rule,
    call: &Request<'_>,
    path: &str,
    mut trail: Trail<'s>,
    dice: Dice<'_>,
) -> RequestDecision<'s> {
    trail.rule = Some(&rule.origin);
    let verdict = match &rule.action {
        Action::Default(target) => cluster(target, &mut trail, |cluster| Forward {
            cluster,
            path: None,
            authority: None,
            timeout: None,
            retries: snapshot.retries.as_ref(),
            mirrors: &[],
            headers: [None, None],
        }),
        Action::Rule(action) => match &action.route.action {
            HttpAction::Redirect(redirect) => RequestVerdict::Answer(Answer::Redirect {
                status: redirect.code,
                location: location::redirect(redirect, action, call, path),
                headers: changes(&action.route.headers),
            }),
            HttpAction::Respond(response) => RequestVerdict::Answer(Answer::Respond {
                response,
                headers: changes(&action.route.headers),
            }),
            HttpAction::Route(destinations) => routed(action, destinations, path, &mut trail, dice),
            HttpAction::Delegate(_) => RequestVerdict::Refuse(Refusal::NoRoute),
        },
    };
    RequestDecision {
        verdict,
        virtual_host: trail.virtual_host,
        route: rule.name.as_deref(),
        rule: match &rule.action {
            Action::Default(_) => None,
            Action::Rule(action) => Some(&action.route),
        },
        trail,
    }
}

fn routed<'s>(
    action: &'s RuleAction,
    destinations: &'s [HttpDestination],
    path: &str,
    trail: &mut Trail<'s>,
    dice: Dice<'_>,
) -> RequestVerdict<'s> {
    trail.shares = Shares::of_requests(&action.targets);
    let Some(target) = split(&action.targets, |target| target.weight, dice) else {
        return RequestVerdict::Refuse(Refusal::NoRoute);
    };
    let route = &action.route;
    let own = destinations
        .get(target.destination)
        .and_then(|destination| changes(&destination.headers));
    let of_rule = changes(&route.headers);
    cluster(&target.cluster, trail, |cluster| Forward {
        cluster,
        path: location::rewritten(action, path),
        authority: target.authority.as_deref(),
        timeout: route.timeout.filter(|limit| !limit.is_zero()),
        retries: action.retries.as_ref(),
        mirrors: &action.mirrors,
        // The last one wins: the only destination's own changes, else the rule's.
        headers: match destinations {
            [_] => [of_rule, own],
            _ => [own, of_rule],
        },
    })
}

fn cluster<'s>(
    target: &'s Target,
    trail: &mut Trail<'s>,
    forward: impl FnOnce(&'s std::sync::Arc<crate::snapshot::cluster::Cluster>) -> Forward<'s>,
) -> RequestVerdict<'s> {
    match target {
        Ok(cluster) => {
            trail.cluster = Some(&cluster.name);
            RequestVerdict::Forward(forward(cluster))
        }
        Err(missing) => {
            trail.cluster = Some(missing);
            RequestVerdict::Refuse(Refusal::NoCluster(missing.clone()))
        }
    }
}

fn changes(changes: &HeaderChanges) -> Option<&HeaderChanges> {
    let none = |operations: &HeaderOperations| {
        operations.remove.is_empty() && operations.set.is_empty() && operations.add.is_empty()
    };
    (!none(&changes.request) || !none(&changes.response)).then_some(changes)
}

/// The first condition of an alternative that a request does not meet.
fn miss<'s>(wanted: &'s HttpMatch, call: &Request<'_>, path: &str) -> Option<Miss<'s>> {
    let fits = |wanted: &Option<StringMatch>, text: &str| {
        wanted.as_ref().is_none_or(|wanted| wanted.matches(text))
    };
    let (plain, query) = path.split_once('?').unwrap_or((path, ""));
    if !fits(&wanted.uri, plain) {
        return Some(Miss::Path);
    }
    if !fits(&wanted.scheme, call.scheme) {
        return Some(Miss::Scheme);
    }
    if !fits(&wanted.method, call.method) {
        return Some(Miss::Method);
    }
    if !fits(&wanted.authority, call.authority) {
        return Some(Miss::Authority);
    }
    for (name, value) in &wanted.headers {
        if !any_line(call, name, |line| matches_bytes(value, line)) {
            return Some(Miss::Header(name));
        }
    }
    for (name, value) in &wanted.without_headers {
        let there = any_line(call, name, |_| true);
        let hit = if matches!(value, StringMatch::Present) {
            there
        } else if there {
            any_line(call, name, |line| matches_bytes(value, line))
        } else {
            value.matches("")
        };
        if hit {
            return Some(Miss::WithoutHeader(name));
        }
    }
    for (name, value) in &wanted.query {
        if !parameter(query, name).is_some_and(|text| value.matches(text)) {
            return Some(Miss::Query(name));
        }
    }
    None
}

/// Whether a line of a header, or what stands for it in HTTP/2, is as wanted.
fn any_line(call: &Request<'_>, name: &str, mut wanted: impl FnMut(&[u8]) -> bool) -> bool {
    match name {
        ":authority" | "host" => wanted(call.authority.as_bytes()),
        ":method" => wanted(call.method.as_bytes()),
        ":path" => wanted(call.path.as_bytes()),
        ":scheme" => wanted(call.scheme.as_bytes()),
        _ => call
            .headers
            .get_all(name)
            .iter()
            .any(|line| wanted(line.as_bytes())),
    }
}

fn matches_bytes(wanted: &StringMatch, line: &[u8]) -> bool {
    match wanted {
        StringMatch::Regex(regex) => regex.is_match(line),
        StringMatch::Present => true,
        _ => std::str::from_utf8(line).is_ok_and(|text| wanted.matches(text)),
    }
}

/// The first value of a query parameter, as sent.
fn parameter<'q>(query: &'q str, wanted: &str) -> Option<&'q str> {
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value)
}
