//! The name of a request's span: the operation of its route, in Istio's form.

use std::fmt;

use crate::model::condition::Condition;
use crate::snapshot::table::{Action, Rule, RuleOrigin};
use crate::value::StringMatch;

/// The operation of the route that took a request. Shown as `host:port/path`: that of the virtual host for a route that no
/// VirtualService made; else that of the cluster, with the path of the rule's condition. A rule that has not one cluster
/// has the name of its VirtualService for a host.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'s> {
    rule: &'s Rule,
    virtual_host: &'s str,
    cluster: Option<&'s str>,
    port: u16,
}

impl<'s> Operation<'s> {
    /// That of a rule of a virtual host, for a call to this port that goes to this cluster.
    pub(crate) fn new(
        rule: &'s Rule,
        virtual_host: &'s str,
        cluster: Option<&'s str>,
        port: u16,
    ) -> Self {
        Self {
            rule,
            virtual_host,
            cluster,
            port,
        }
    }

    /// The host and the port of the one cluster that the rule has.
    fn cluster(&self) -> Option<(&'s str, &'s str)> {
        if let Action::Route(routing) = &self.rule.action
            && routing.targets.iter().any(|(target, _)| !target.alone)
        {
            return None;
        }
        let mut parts = self.cluster?.split('|').skip(1);
        let (port, _, host) = (parts.next()?, parts.next()?, parts.next()?);
        Some((host, port))
    }
}

impl fmt::Display for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RuleOrigin::Rule { object, .. } = &self.rule.origin else {
            return write!(f, "{}/*", self.virtual_host);
        };
        match self.cluster() {
            Some((host, port)) => write!(f, "{host}:{port}")?,
            None => write!(f, "{}:{}", object.name.name, self.port)?,
        }
        let path = self.rule.conditions.iter().find_map(|one| match one {
            Condition::Path(path) => Some(path),
            _ => None,
        });
        match path {
            Some(StringMatch::Exact(path) | StringMatch::ExactIgnoreCase(path)) => {
                f.write_str(path)
            }
            Some(StringMatch::Prefix(path) | StringMatch::PrefixIgnoreCase(path)) => {
                write!(f, "{path}*")
            }
            Some(StringMatch::Regex(regex)) => {
                let text = regex.as_str();
                let inner = text
                    .strip_prefix("^(?:")
                    .and_then(|text| text.strip_suffix(")$"));
                f.write_str(inner.unwrap_or(text))
            }
            _ => f.write_str("/*"),
        }
    }
}
