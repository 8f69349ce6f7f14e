//! Families as Envoy's text statistics: one name for each series, with the values of labels in it.

use std::borrow::Cow;

use crate::report::metrics::definition::Kind;
use crate::report::metrics::escape;
use crate::report::metrics::family::{Family, Value};

/// One statistic.
#[derive(Clone, Debug)]
pub struct Statistic {
    /// The name, as Envoy has it. Names of clusters end in `;`, as istiod has it.
    pub name: String,
    /// The value.
    pub value: Value,
    /// Whether it was ever changed: a gauge that is there was set.
    pub is_used: bool,
}

/// The statistics of families, by name.
pub fn statistics(families: &[Family]) -> Vec<Statistic> {
    let mut all: Vec<Statistic> = families.iter().flat_map(of_family).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

impl Statistic {
    /// The name without the `;` behind names of clusters: as Envoy has it without istiod.
    pub fn bare_name(&self) -> Cow<'_, str> {
        match self.name.contains(";.") {
            true => Cow::Owned(self.name.replacen(";.", ".", 1)),
            false => Cow::Borrowed(&self.name),
        }
    }
}

fn of_family(family: &Family) -> impl Iterator<Item = Statistic> {
    family.samples.iter().map(|(labels, value)| Statistic {
        name: name(family, labels),
        is_used: family.definition.kind == Kind::Gauge || is_changed(value),
        value: value.clone(),
    })
}

fn is_changed(value: &Value) -> bool {
    match value {
        Value::Integer(count) => *count > 0,
        Value::Float(number) => *number != 0.0,
        Value::Histogram(histogram) => histogram.count() > 0,
    }
}

/// The name of one series.
fn name(family: &Family, labels: &str) -> String {
    let definition = family.definition;
    let labels = escape::read_labels(labels);
    if !definition.stat.is_empty() {
        let mut values = labels.iter().map(|(_, value)| &**value);
        let mut name = String::new();
        for (place, part) in definition.stat.split('$').enumerate() {
            if place > 0 {
                name.push_str(values.next().unwrap_or_default());
            }
            name.push_str(part);
        }
        return name;
    }
    let (scope, own) = match definition.name.split_once('_') {
        Some(("egret", own)) => ("egret", own),
        Some(("process", own)) => ("process", own),
        // As Istio's filter names what it counts.
        _ => ("istiocustom", definition.name),
    };
    let mut name = format!("{scope}.{own}");
    for (label, value) in &labels {
        for part in [*label, value] {
            name.push('.');
            name.push_str(part);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::metrics::definition::Definition;

    fn family(stat: &'static str, name: &'static str, labels: &str) -> Family {
        let definition = Box::leak(Box::new(Definition {
            name,
            kind: Kind::Counter,
            help: "",
            labels: &[],
            stat,
        }));
        let mut family = Family::new(definition);
        family.add(&labels.into(), Value::Integer(7));
        family
    }

    #[test]
    fn names_are_envoys() {
        for (stat, name, labels, expected, bare) in [
            (
                "server.live",
                "envoy_server_live",
                "",
                "server.live",
                "server.live",
            ),
            (
                "cluster.$;.upstream_rq_$",
                "envoy_cluster_upstream_rq",
                "cluster_name=\"outbound|80||a.test\",response_code=\"200\"",
                "cluster.outbound|80||a.test;.upstream_rq_200",
                "cluster.outbound|80||a.test.upstream_rq_200",
            ),
            (
                "",
                "egret_verdicts_total",
                "verdict=\"route\",protocol=\"http\"",
                "egret.verdicts_total.verdict.route.protocol.http",
                "egret.verdicts_total.verdict.route.protocol.http",
            ),
            (
                "",
                "istio_build",
                "tag=\"a\\\"b\\\\c\"",
                "istiocustom.istio_build.tag.a\"b\\c",
                "istiocustom.istio_build.tag.a\"b\\c",
            ),
        ] {
            let found = statistics(&[family(stat, name, labels)]);
            assert_eq!((found.len(), &*found[0].name), (1, expected));
            assert_eq!(found[0].bare_name(), bare);
        }
    }
}
