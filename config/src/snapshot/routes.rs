//! VirtualServices to compiled rules: the conditions that do not depend on the call are decided here, once.

use std::sync::Arc;
use std::time::Duration;

use crate::header_names::is_authority;
use crate::model::destination::Destination;
use crate::model::http_match::HttpMatch;
use crate::model::mesh::Mesh;
use crate::model::route::{HeaderChanges, HttpAction, HttpDestination, HttpRoute, Retries};
use crate::model::source::{GatewayName, SourceContext, SourceMatch};
use crate::model::virtual_service::{VirtualService, WeightedDestination};
use crate::problem::Problem;
use crate::snapshot::chains::StreamRoute;
use crate::snapshot::clusters::{Clusters, ImportOrigin};
use crate::snapshot::location::{PathRewrite, Redirect};
use crate::snapshot::problems::ProblemSet;
use crate::snapshot::table::{Action, Filters, RouteTarget, Routing, Rule, RuleOrigin};
use crate::snapshot::target::{Split, Target};
use crate::snapshot::workload::{Mode, Workload};

/// Where rules are compiled for.
pub(crate) struct Site<'a> {
    /// The workload.
    pub(crate) workload: &'a Workload,
    /// Mesh-wide settings.
    pub(crate) mesh: &'a Mesh,
    /// The port that `match.port` means: the listener's on a sidecar, the server's on a gateway.
    pub(crate) port: u16,
    /// Whether a name in `gateways` of a VirtualService means this sidecar or gateway.
    pub(crate) here: &'a dyn Fn(&GatewayName) -> bool,
}

/// What rules are compiled with.
pub(crate) struct Compiler<'c, 'o, 'b> {
    /// The clusters that they lead to.
    pub(crate) clusters: &'c mut Clusters<'o, 'b>,
    /// What is wrong with them.
    pub(crate) problems: &'c mut ProblemSet,
}

/// An `http` rule with the object and index it comes from: a delegate's rule comes from the delegate.
#[derive(Clone, Debug)]
pub(crate) struct SourceRule {
    /// The object.
    pub(crate) object: Arc<crate::model::meta::Meta>,
    /// Index in its `http` list.
    pub(crate) index: usize,
    /// The rule.
    pub(crate) route: Arc<HttpRoute>,
}

/// Compiles `http` rules of a VirtualService for a workload and port. Alternatives that cannot match there are dropped,
/// and so are the rules after one that takes every request.
pub(crate) fn http_rules(
    vs: &VirtualService,
    written: &[SourceRule],
    site: &Site<'_>,
    compiler: &mut Compiler<'_, '_, '_>,
) -> Vec<Arc<Rule>> {
    let mut rules: Vec<Arc<Rule>> = Vec::new();
    for written in written {
        let route = &written.route;
        let alternatives: Vec<Option<usize>> = if route.matches.is_empty() {
            vec![None]
        } else {
            let fits = |at: &usize| site.admits(&route.matches[*at].source);
            (0..route.matches.len()).filter(fits).map(Some).collect()
        };
        let filters = filters(route);
        for matching in alternatives {
            let http_match = matching.map(|at| &route.matches[at]);
            let Some(action) = action(vs, written, http_match, site, compiler) else {
                continue;
            };
            let rule = Rule {
                name: rule_name(route, http_match),
                origin: RuleOrigin::Rule {
                    object: written.object.clone(),
                    http: written.index,
                    matching,
                },
                conditions: http_match
                    .map_or_else(Arc::default, |http_match| http_match.conditions.clone()),
                filters: filters.clone(),
                action,
            };
            let last = rule.takes_all();
            rules.push(Arc::new(rule));
            if last {
                return rules;
            }
        }
    }
    rules
}

/// Compiles the destinations of a `tls` or `tcp` rule; `None` when none has a share.
pub(crate) fn stream_route(
    vs: &VirtualService,
    destinations: &[WeightedDestination],
    port: u16,
    field: &str,
    compiler: &mut Compiler<'_, '_, '_>,
) -> Option<StreamRoute> {
    let alone = destinations.len() == 1;
    let default = DefaultPort { port, single: true };
    let targets = destinations
        .iter()
        .enumerate()
        .filter(|(_, one)| alone || one.weight > 0)
        .map(|(at, one)| {
            let field = format!("{field}.route[{at}].destination");
            let target = target(vs, &one.destination, default, &field, compiler);
            (target, if alone { 1 } else { one.weight })
        });
    Split::new(targets)
}

impl Site<'_> {
    /// Whether calls of this workload and port satisfy the source conditions of a match.
    pub(crate) fn admits(&self, source: &SourceMatch) -> bool {
        source.holds(&SourceContext {
            port: self.port,
            labels: &self.workload.labels,
            namespace: &self.workload.namespace,
            here: self.here,
        })
    }
}

/// Istio's retries when neither the rule nor the mesh sets any.
pub(crate) fn default_retries() -> Retries {
    Retries {
        attempts: 2,
        try_timeout: None,
        on: [
            "connect-failure",
            "refused-stream",
            "unavailable",
            "cancelled",
            "retriable-status-codes",
        ]
        .map(Arc::from)
        .to_vec(),
        statuses: Vec::new(),
        backoff: None,
        fresh_hosts: true,
        other_priorities: false,
    }
}

/// The retries of the mesh, for routes without their own.
pub(crate) fn mesh_retries(mesh: &Mesh) -> Option<Retries> {
    completed(mesh.retries.clone().unwrap_or_else(default_retries))
}

fn completed(mut retries: Retries) -> Option<Retries> {
    if retries.on.is_empty() && retries.statuses.is_empty() {
        retries.on = default_retries().on;
    }
    retries.try_timeout = retries.try_timeout.filter(|limit| *limit > Duration::ZERO);
    (retries.attempts > 0).then_some(retries)
}

fn rule_name(route: &HttpRoute, http_match: Option<&HttpMatch>) -> Option<Arc<str>> {
    let of_match = http_match.and_then(|http_match| http_match.name.as_ref());
    match (&route.name, of_match) {
        (Some(name), Some(of_match)) => Some(format!("{name}.{of_match}").into()),
        (Some(name), None) => Some(name.clone()),
        (None, Some(of_match)) => Some(format!(".{of_match}").into()),
        (None, None) => None,
    }
}

/// What a rule does besides its action.
fn filters(route: &HttpRoute) -> Option<Arc<Filters>> {
    let filters = Filters {
        fault: route.fault.clone(),
        cors: route.cors.clone(),
        headers: changes(&route.headers),
    };
    let some = filters.fault.is_some() || filters.cors.is_some() || filters.headers.is_some();
    some.then(|| Arc::new(filters))
}

fn changes(changes: &HeaderChanges) -> Option<HeaderChanges> {
    (!changes.is_empty()).then(|| changes.clone())
}

/// What a rule does; `None` for one that delegates, whose delegate's rules replace it.
fn action(
    vs: &VirtualService,
    written: &SourceRule,
    http_match: Option<&HttpMatch>,
    site: &Site<'_>,
    compiler: &mut Compiler<'_, '_, '_>,
) -> Option<Action> {
    let route = &written.route;
    let path = http_match.and_then(HttpMatch::path);
    match &route.action {
        HttpAction::Route(destinations) => {
            let path = route.rewrite.as_ref().and_then(|rewrite| {
                let rewrite = rewrite.path.as_ref()?;
                Some(PathRewrite::new(rewrite, path))
            });
            routing(vs, written, destinations, site, compiler)
                .map(|routing| Action::Route(Box::new(Routing { path, ..routing })))
        }
        HttpAction::Redirect(redirect) => {
            let redirect = Redirect::new(redirect, path, site.port);
            Some(Action::Redirect(Box::new(redirect)))
        }
        HttpAction::Respond(response) => Some(Action::Respond(response.clone())),
        HttpAction::Delegate(_) => None,
    }
}

/// `route` of a rule with its references resolved, without the path's rewrite; `None` when no destination has a share.
fn routing(
    vs: &VirtualService,
    written: &SourceRule,
    destinations: &[HttpDestination],
    site: &Site<'_>,
    compiler: &mut Compiler<'_, '_, '_>,
) -> Option<Routing> {
    let route = &written.route;
    let default = DefaultPort {
        port: site.port,
        single: site.workload.mode == Mode::Gateway,
    };
    let mut resolve = |destination: &Destination, field: String| {
        let field = format!("spec.http[{}].{field}", written.index);
        target(vs, destination, default, &field, compiler)
    };
    let alone = destinations.len() == 1;
    let with_share = destinations.iter().enumerate();
    let targets = with_share
        .filter(|(_, one)| alone || one.weight > 0)
        .map(|(at, one)| {
            let target = RouteTarget {
                cluster: resolve(&one.destination, format!("route[{at}].destination")),
                authority: authority(route, &one.headers),
                headers: changes(&one.headers),
                alone,
            };
            (target, if alone { 1 } else { one.weight })
        });
    let targets = Split::new(targets)?;
    let mirrors = route.mirrors.iter().enumerate();
    let mirrors = mirrors.filter_map(|(at, mirror)| {
        let field = format!("mirrors[{at}].destination");
        match resolve(&mirror.destination, field) {
            Target::Cluster(cluster) => Some((cluster, mirror.share)),
            Target::Missing(_) => None,
        }
    });
    Some(Routing {
        targets,
        path: None,
        timeout: route.timeout.filter(|limit| !limit.is_zero()),
        retries: match &route.retries {
            Some(own) => completed(own.clone()),
            None => mesh_retries(site.mesh),
        },
        mirrors: mirrors.filter(|(_, share)| *share > 0).collect(),
    })
}

/// The authority a target is sent with: `rewrite.authority`, else what the rule's header operations set, else what the
/// destination's own do.
fn authority(route: &HttpRoute, own: &HeaderChanges) -> Option<Arc<str>> {
    let rewritten = route
        .rewrite
        .as_ref()
        .and_then(|rewrite| rewrite.authority.clone());
    let set = |changes: &HeaderChanges| {
        [&changes.request.set, &changes.request.add]
            .into_iter()
            .flatten()
            .find(|(name, _)| is_authority(name))
            .map(|(_, value)| value.clone())
    };
    rewritten
        .or_else(|| set(&route.headers))
        .or_else(|| set(own))
}

/// The port of destinations that name none.
#[derive(Clone, Copy)]
struct DefaultPort {
    port: u16,
    /// The only port of a service with one goes before.
    single: bool,
}

/// The cluster of a destination.
fn target(
    vs: &VirtualService,
    destination: &Destination,
    default: DefaultPort,
    field: &str,
    compiler: &mut Compiler<'_, '_, '_>,
) -> Target {
    let Compiler { clusters, problems } = compiler;
    let host = &*destination.host;
    let origin = clusters.import(host, &vs.meta.name.namespace);
    if origin == ImportOrigin::FromRule {
        problems.add(Problem {
            field: format!("{field}.host"),
            value: host.to_owned(),
            reason: format!(
                "only namespace {} sees this host, not the gateway's; it is looked up there (Istio answers 503): \
                 export it to the gateway's namespace",
                vs.meta.name.namespace
            ),
            ..ProblemSet::warning(&vs.meta)
        });
    }
    let only = default.single.then(|| clusters.only_port(host)).flatten();
    let port = destination.port.or(only).unwrap_or(default.port);
    let target = clusters.target(host, destination.subset.as_deref(), port);
    let unknown = !clusters.has_host(host);
    let reason = if unknown {
        Some("no service has this host, or its namespace does not export it here: calls are answered 503 NC".to_owned())
    } else if target.exists() {
        None
    } else if clusters.target(host, None, port).exists() {
        let subset = destination.subset.as_deref().unwrap_or_default();
        Some(format!(
            "no DestinationRule that applies here defines subset {subset}: calls are answered 503 NC"
        ))
    } else {
        // Without a port of its own the rule may be meant for other listeners than this one.
        destination
            .port
            .map(|port| format!("the service has no port {port}: calls are answered 503 NC"))
    };
    if let Some(reason) = reason {
        problems.add(Problem {
            field: field.to_owned(),
            value: host.to_owned(),
            reason,
            ..ProblemSet::warning(&vs.meta)
        });
    }
    target
}
