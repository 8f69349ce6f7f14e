//! Route tables: which virtual host an authority chooses, and which rules it has, in order.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::host::HostPattern;
use crate::model::condition::Condition;
use crate::model::meta::Meta;
use crate::model::route::{Cors, DirectResponse, Fault, HeaderChanges, Retries};
use crate::snapshot::cluster::Cluster;
use crate::snapshot::location::{PathRewrite, Redirect};
use crate::snapshot::patterns::PatternMap;
use crate::snapshot::target::{Split, Target};

/// The virtual hosts of a listener's HTTP.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouteTable {
    /// Its name: `80`, `http.80`, `https.443.name.gateway.namespace`, `host:port`.
    pub(crate) name: Arc<str>,
    /// The virtual hosts, in order.
    pub(crate) hosts: Vec<Arc<VirtualHost>>,
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
    /// Its conditions; a request must satisfy all.
    pub(crate) conditions: Arc<[Condition]>,
    /// What it does besides its action; `None` is nothing.
    pub(crate) filters: Option<Arc<Filters>>,
    /// What it does.
    pub(crate) action: Action,
}

/// What a rule of a VirtualService does to its requests besides its action.
#[derive(Clone, Debug)]
pub struct Filters {
    /// `fault`, before anything else.
    pub fault: Option<Fault>,
    /// `corsPolicy`.
    pub cors: Option<Cors>,
    /// `headers` of the rule.
    pub headers: Option<HeaderChanges>,
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
        /// Index in its `http` list.
        http: usize,
        /// Index in the rule's `match` list, if it has one.
        matching: Option<usize>,
    },
}

impl RuleOrigin {
    /// Whether both are the same rule of the same object.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.key() == other.key()
    }

    /// A unique key: the object's identity, the rule's index in it and the alternative's in the rule.
    pub(crate) fn key(&self) -> (*const Meta, Option<(usize, Option<usize>)>) {
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
    /// The default route of a service: its cluster, with the mesh's retries.
    Default(Target),
    /// `route`.
    Route(Box<Routing>),
    /// `redirect`.
    Redirect(Box<Redirect>),
    /// `directResponse`.
    Respond(DirectResponse),
}

/// `route` of a rule, and what is done to requests on their way.
#[derive(Clone, Debug)]
pub(crate) struct Routing {
    /// Where to, by weight.
    pub(crate) targets: Split<RouteTarget>,
    /// `rewrite` of the path.
    pub(crate) path: Option<PathRewrite>,
    /// `timeout`; `None` is none.
    pub(crate) timeout: Option<Duration>,
    /// Retries; `None` is off.
    pub(crate) retries: Option<Retries>,
    /// The mirrors, each with its share in millionths.
    pub(crate) mirrors: Vec<(Arc<Cluster>, u32)>,
}

/// One target of a rule.
#[derive(Clone, Debug)]
pub(crate) struct RouteTarget {
    /// The cluster.
    pub(crate) cluster: Target,
    /// The authority it is sent with, if it is rewritten.
    pub(crate) authority: Option<Arc<str>>,
    /// `headers` of the destination.
    pub(crate) headers: Option<HeaderChanges>,
    /// It is the only destination of its rule, so that its own header changes come after the rule's and win.
    pub(crate) alone: bool,
}

impl Rule {
    /// Whether every request matches, so that rules after this one are never reached.
    pub(crate) fn takes_all(&self) -> bool {
        self.conditions.iter().all(Condition::is_always_met)
    }
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
    pub(crate) fn add(&mut self, mut host: Arc<VirtualHost>) -> bool {
        let index = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        let free = host
            .domains
            .iter()
            .take_while(|domain| self.by_domain.claim(domain, index))
            .count();
        if free < host.domains.len() {
            let mut at = 0;
            Arc::make_mut(&mut host).domains.retain(|domain| {
                at += 1;
                // Those before the first one that is taken were claimed above.
                at <= free || (at > free + 1 && self.by_domain.claim(domain, index))
            });
        }
        if host.domains.is_empty() {
            return false;
        }
        self.hosts.push(host);
        true
    }

    /// Adds a virtual host as [`Self::add`] does.
    pub(crate) fn add_new(&mut self, host: VirtualHost) -> bool {
        self.add(Arc::new(host))
    }

    /// The virtual host that has exactly this domain.
    pub(crate) fn holder(&self, domain: &HostPattern) -> Option<&Arc<VirtualHost>> {
        let at = self.by_domain.get(domain)?;
        self.hosts.get(*at as usize)
    }

    /// The virtual host for a host name in lower case without port: the exact name, then the longest suffix, then `*`. An
    /// empty name matches only `*`.
    pub(crate) fn find(&self, host: &str) -> Option<&VirtualHost> {
        let at = match host {
            "" => self.by_domain.any(),
            host => self.by_domain.find(host),
        }?;
        self.hosts.get(*at as usize).map(|host| &**host)
    }
}
