//! Which virtual host and which rule a request has, and what the rule does.

use std::borrow::Cow;
use std::sync::Arc;

use crate::decide::call::Request;
use crate::decide::dice::Dice;
use crate::decide::location;
use crate::decide::operation::Operation;
use crate::decide::trail::{Shares, Trail, UnmetRule};
use crate::decide::verdict::{
    Answer, Forward, Refusal, RequestDecision, RequestVerdict, RouteName,
};
use crate::host::split_authority;
use crate::model::condition::{Condition, RequestHead};
use crate::snapshot::Snapshot;
use crate::snapshot::cluster::Cluster;
use crate::snapshot::table::{Action, RouteTable, Rule, VirtualHost};
use crate::snapshot::target::Target;

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
            filters: None,
            operation: None,
            trail,
        };
    }
    let (path, query) = call.path.split_once('?').unwrap_or((call.path, ""));
    let head = RequestHead {
        method: call.method,
        scheme: call.scheme,
        authority: call.authority,
        target: call.path,
        path,
        query,
        headers: call.headers,
    };
    for rule in &host.rules {
        let is_unmet = |condition: &&'s Condition| !condition.holds(&head);
        match rule.conditions.iter().find(is_unmet) {
            None => return perform(snapshot, (host, rule), call, trail, dice),
            Some(condition) => trail.unmet_rules.push(UnmetRule {
                rule: &rule.origin,
                condition,
            }),
        }
    }
    RequestDecision::refused(Refusal::NoRoute, None, trail)
}

fn perform<'s>(
    snapshot: &'s Snapshot,
    (host, rule): (&'s VirtualHost, &'s Rule),
    call: &Request<'_>,
    mut trail: Trail<'s>,
    dice: Dice<'_>,
) -> RequestDecision<'s> {
    trail.rule = Some(&rule.origin);
    let filters = rule.filters.as_deref();
    let headers = filters.and_then(|filters| filters.headers.as_ref());
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
        Action::Route(routing) => {
            trail.shares = Shares::of_requests(&routing.targets);
            let target = routing.targets.pick(dice);
            let own = target.headers.as_ref();
            let path = routing.path.as_ref();
            cluster(&target.cluster, &mut trail, |cluster| Forward {
                cluster,
                path: path.map(|path| location::rewritten(path, call.path)),
                authority: target.authority.as_deref(),
                timeout: routing.timeout,
                retries: routing.retries.as_ref(),
                mirrors: &routing.mirrors,
                // The last one wins: the only destination's own changes, else the rule's.
                headers: if target.alone {
                    [headers, own]
                } else {
                    [own, headers]
                },
            })
        }
        Action::Redirect(redirect) => RequestVerdict::Answer(Answer::Redirect {
            status: redirect.code,
            location: location::redirect(redirect, call),
            headers,
        }),
        Action::Respond(response) => RequestVerdict::Answer(Answer::Respond { response, headers }),
    };
    RequestDecision {
        verdict,
        virtual_host: trail.virtual_host,
        route: rule.name.clone().map(RouteName::Named),
        filters,
        operation: Some(Operation::new(
            rule,
            &host.name,
            trail.cluster,
            call.arrival.original_dst.port(),
        )),
        trail,
    }
}

fn cluster<'s>(
    target: &'s Target,
    trail: &mut Trail<'s>,
    forward: impl FnOnce(&'s Arc<Cluster>) -> Forward<'s>,
) -> RequestVerdict<'s> {
    trail.cluster = Some(target.name());
    match target {
        Target::Cluster(cluster) => RequestVerdict::Forward(forward(cluster)),
        Target::Missing(missing) => RequestVerdict::Refuse(Refusal::NoCluster(missing.clone())),
    }
}
