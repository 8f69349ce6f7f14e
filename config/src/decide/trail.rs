//! The reasons of a decision, step by step, as data. Their texts are made only when they are read.

use std::fmt;

use crate::decide::destination::DialRefusal;
use crate::model::condition::Condition;
use crate::snapshot::chains::{ChainOrigin, StreamRoute};
use crate::snapshot::outbound::UnmatchedTraffic;
use crate::snapshot::table::{RouteTarget, RuleOrigin};
use crate::snapshot::target::Split;

/// Why a call was decided as it was. Borrowed from the snapshot; allocates only when a rule was tried and did not fit.
#[derive(Clone, Debug, Default)]
pub struct Trail<'s> {
    /// Key of the listener that took the call (`0.0.0.0:80`, `10.96.0.1:443`); none when no listener did.
    pub listener: Option<&'s str>,
    /// Where the chain that took a byte stream comes from.
    pub chain: Option<&'s ChainOrigin>,
    /// The route table that was searched.
    pub table: Option<&'s str>,
    /// The virtual host that the authority chose.
    pub virtual_host: Option<&'s str>,
    /// The rule that matched.
    pub rule: Option<&'s RuleOrigin>,
    /// Rules of the virtual host that were tried before it, and the condition that the request did not satisfy.
    pub unmet_rules: Vec<UnmetRule<'s>>,
    /// The policy for unknown calls, when it decided.
    pub policy: Option<&'s UnmatchedTraffic>,
    /// The clusters that the chosen one was picked from.
    pub shares: Shares<'s>,
    /// The cluster that was chosen.
    pub cluster: Option<&'s str>,
    /// Why the proxy may not connect to the original destination, where the call would go there.
    pub refused: Option<DialRefusal>,
}

/// The clusters of a rule by weight. Borrowed from the snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shares<'s>(Of<'s>);

#[derive(Clone, Copy, Debug, Default)]
enum Of<'s> {
    #[default]
    Nothing,
    Requests(&'s Split<RouteTarget>),
    Streams(&'s StreamRoute),
}

/// One cluster of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share<'s> {
    /// The cluster's name.
    pub cluster: &'s str,
    /// Its share of the sum.
    pub weight: u32,
    /// Whether there is such a cluster.
    pub exists: bool,
}

impl<'s> Shares<'s> {
    /// The shares of an HTTP rule.
    pub(crate) fn of_requests(targets: &'s Split<RouteTarget>) -> Self {
        Self(Of::Requests(targets))
    }

    /// The shares of a rule for byte streams.
    pub(crate) fn of_streams(targets: &'s StreamRoute) -> Self {
        Self(Of::Streams(targets))
    }

    /// The clusters, in the rule's order.
    pub fn iter(self) -> impl Iterator<Item = Share<'s>> {
        let (requests, streams) = match self.0 {
            Of::Nothing => (None, None),
            Of::Requests(targets) => (Some(targets), None),
            Of::Streams(targets) => (None, Some(targets)),
        };
        let requests = requests.into_iter().flat_map(Split::iter);
        let requests = requests.map(|(target, weight)| (&target.cluster, *weight));
        let streams = streams.into_iter().flat_map(Split::iter);
        let streams = streams.map(|(target, weight)| (target, *weight));
        requests.chain(streams).map(|(target, weight)| Share {
            cluster: target.name(),
            weight,
            exists: target.exists(),
        })
    }
}

/// A rule that did not match.
#[derive(Clone, Copy, Debug)]
pub struct UnmetRule<'s> {
    /// The rule.
    pub rule: &'s RuleOrigin,
    /// The first of its conditions that did not hold.
    pub condition: &'s Condition,
}

/// The short form, one line: `listener=0.0.0.0:80 vhost=a.com:80 rule=VirtualService default/a http[0] cluster=…`.
impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listener={}", self.listener.unwrap_or("none"))?;
        if let Some(chain) = self.chain {
            write!(f, " chain={chain}")?;
        }
        if let Some(table) = self.table {
            write!(f, " table={table}")?;
        }
        if let Some(host) = self.virtual_host {
            write!(f, " vhost={host}")?;
        }
        if let Some(rule) = self.rule {
            write!(f, " rule={rule}")?;
        }
        if !self.unmet_rules.is_empty() {
            write!(f, " tried={}", self.unmet_rules.len())?;
        }
        if let Some(policy) = self.policy {
            write!(f, " policy={policy}")?;
        }
        if let Some(cluster) = self.cluster {
            write!(f, " cluster={cluster}")?;
        }
        if let Some(refusal) = self.refused {
            write!(f, " refused={}", refusal.rule.code())?;
        }
        Ok(())
    }
}

impl Trail<'_> {
    /// The long form: one sentence a step, in the order in which they were taken.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences = vec![match self.listener {
            Some(key) => format!("listener {key} accepted the call"),
            None => "no listener is registered for the destination".to_owned(),
        }];
        if let Some(chain) = self.chain {
            sentences.push(format!("its filter chain from {chain} matches"));
        }
        match (self.table, self.virtual_host) {
            (Some(table), Some(host)) => sentences.push(format!(
                "in route table {table} the host chose virtual host {host}"
            )),
            (Some(table), None) => {
                sentences.push(format!(
                    "route table {table} has no virtual host for the host"
                ));
            }
            (None, _) => {}
        }
        for unmet in &self.unmet_rules {
            sentences.push(format!(
                "{} does not match: {}",
                unmet.rule,
                unmet.condition.field()
            ));
        }
        if let Some(rule) = self.rule {
            sentences.push(format!("{rule} matches"));
        } else if self.virtual_host.is_some() && self.policy.is_none() {
            sentences.push("no rule of the virtual host matches".to_owned());
        }
        if let Some(policy) = self.policy {
            sentences.push(format!("unregistered calls are decided by {policy}"));
        }
        if let Some(cluster) = self.cluster {
            sentences.push(format!("the call goes to {cluster}"));
        }
        if let Some(refusal) = self.refused {
            sentences.push(format!("the address is refused: {refusal}"));
        }
        sentences
    }
}
