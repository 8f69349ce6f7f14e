//! Route tables: which virtual host an authority chooses, and which rules it has, in order.

use std::fmt;
use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::meta::Meta;
use crate::model::route::HttpMatch;
use crate::model::route::HttpRoute;
use crate::model::route::Retries;
use crate::snapshot::chains::Target;
use crate::snapshot::cluster::Cluster;
use crate::snapshot::patterns::PatternMap;
use crate::value::StringMatch;

/// The virtual hosts of a listener's HTTP.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouteTable {
    /// Its name: `80`, `http.80`, `https.443.name.gateway.namespace`, `host:port`.
    pub(crate) name: Arc<str>,
    /// The virtual hosts, in order.
    pub(crate) hosts: Vec<VirtualHost>,
    by_domain: PatternMap<u32>,
    /// Domains may name a port, so that an authority is looked up with its port before it is without.
    pub(crate) has_ports: bool,
}

/// A virtual host.
#[derive(Clone, Debug)]
pub(crate) struct VirtualHost {
    /// `host:port`.
    pub(crate) name: Arc<str>,
    /// The names it answers to.
    pub(crate) domains: Vec<HostPattern>,
    /// Its rules, in order.
    pub(crate) rules: Vec<Arc<Rule>>,
    /// Every request is answered with a redirect to https.
    pub(crate) to_https: bool,
}

/// One rule with one of its alternatives, compiled for a port and a workload.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// The name that logs show.
    pub(crate) name: Option<Arc<str>>,
    /// Where it comes from.
    pub(crate) origin: RuleOrigin,
    /// What it does.
    pub(crate) action: Action,
}

/// Where a rule comes from.
#[derive(Clone, Debug)]
pub enum RuleOrigin {
    /// The default route of a service.
    Service(Arc<Meta>),
    /// A rule of a VirtualService.
    Rule {
        /// The VirtualService; for the rules of a delegate, the delegate.
        object: Arc<Meta>,
        /// Place in its `http` list.
        http: usize,
        /// Place in the rule's `match` list, if it has one.
        matching: Option<usize>,
    },
}

impl RuleOrigin {
    /// Whether both are the same place of the same object.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.place() == other.place()
    }

    /// What tells two places apart: the object's identity, the rule's place in it and the alternative's in the rule.
    pub(crate) fn place(&self) -> (*const Meta, Option<(usize, Option<usize>)>) {
        match self {
            Self::Service(object) => (Arc::as_ptr(object), None),
            Self::Rule {
                object,
                http,
                matching,
            } => (Arc::as_ptr(object), Some((*http, *matching))),
        }
    }
}

impl fmt::Display for RuleOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(object) => write!(f, "{} {}", object.kind, object.name),
            Self::Rule {
                object,
                http,
                matching,
            } => {
                write!(f, "{} {} http[{http}]", object.kind, object.name)?;
                if let Some(matching) = matching {
                    write!(f, ".match[{matching}]")?;
                }
                Ok(())
            }
        }
    }
}

/// What a rule does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// The default route of a service: its cluster, for every request.
    Default(Target),
    /// A rule of a VirtualService.
    Rule(Box<RuleAction>),
}

/// A rule of a VirtualService, with its references resolved.
#[derive(Clone, Debug)]
pub(crate) struct RuleAction {
    /// The rule as written (delegates joined).
    pub(crate) route: Arc<HttpRoute>,
    /// Which of its alternatives.
    pub(crate) matching: Option<usize>,
    /// Targets that get a share; empty unless the rule routes.
    pub(crate) targets: Vec<RouteTarget>,
    /// Retries; `None` is off.
    pub(crate) retries: Option<Retries>,
    /// Where copies go.
    pub(crate) mirrors: Vec<(Arc<Cluster>, u32)>,
    /// The port that `derivePort: FROM_REQUEST_PORT` means.
    pub(crate) port: u16,
}

/// One target of a rule.
#[derive(Clone, Debug)]
pub(crate) struct RouteTarget {
    /// The cluster.
    pub(crate) cluster: Target,
    /// Its share.
    pub(crate) weight: u32,
    /// Place in the rule's `route` list.
    pub(crate) destination: usize,
    /// The authority it is sent with, if it is rewritten.
    pub(crate) authority: Option<Arc<str>>,
}

impl Rule {
    /// The condition, if the rule has one.
    pub(crate) fn condition(&self) -> Option<&HttpMatch> {
        match &self.action {
            Action::Default(_) => None,
            Action::Rule(rule) => rule.condition(),
        }
    }

    /// Whether every request matches, so that rules after this one are never reached.
    pub(crate) fn takes_all(&self) -> bool {
        self.condition().is_none_or(takes_all)
    }
}

impl RuleAction {
    /// The alternative that this rule stands for.
    pub(crate) fn condition(&self) -> Option<&HttpMatch> {
        self.matching.and_then(|at| self.route.matches.get(at))
    }
}

/// Whether an alternative has no condition that a request could fail.
fn takes_all(condition: &HttpMatch) -> bool {
    let every_path = match &condition.uri {
        None => true,
        Some(StringMatch::Prefix(prefix) | StringMatch::PrefixIgnoreCase(prefix)) => {
            matches!(&**prefix, "" | "/")
        }
        Some(StringMatch::Regex(regex)) => regex.as_str() == "^(?:.*)$",
        Some(StringMatch::Present) => true,
        Some(StringMatch::Exact(_) | StringMatch::ExactIgnoreCase(_)) => false,
    };
    every_path
        && condition.scheme.is_none()
        && condition.method.is_none()
        && condition.authority.is_none()
        && condition.headers.is_empty()
        && condition.without_headers.is_empty()
        && condition.query.is_empty()
}

impl RouteTable {
    /// An empty table.
    pub(crate) fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// An empty table whose domains may name a port.
    pub(crate) fn with_ports(name: impl Into<Arc<str>>) -> Self {
        Self {
            has_ports: true,
            ..Self::new(name)
        }
    }

    /// Adds a virtual host. Domains that another holds already are left to it; without any left the virtual host is not
    /// added.
    pub(crate) fn add(&mut self, mut host: VirtualHost) -> bool {
        let place = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        host.domains
            .retain(|domain| self.by_domain.claim(domain, place));
        if host.domains.is_empty() {
            return false;
        }
        self.hosts.push(host);
        true
    }

    /// The virtual host for a host name in lower case without port: the exact name, then the longest suffix, then `*`. An
    /// empty name is nobody's but that of `*`.
    pub(crate) fn find(&self, host: &str) -> Option<&VirtualHost> {
        let at = match host {
            "" => self.by_domain.any(),
            host => self.by_domain.find(host),
        }?;
        self.hosts.get(*at as usize)
    }
}
