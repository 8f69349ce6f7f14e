//! Telemetry, read. What cannot be understood is left out with a warning, and the rest of the object counts: a log is
//! never off because of a typo elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::expression::Expression;
use crate::labels::Labels;
use crate::model::meta::Meta;
use crate::model::read;
use crate::model::telemetry::tags;
use crate::model::telemetry::types::{
    AccessLogging, Metric, MetricOverride, Metrics, TagOverride, Telemetry, Tracing,
};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::value;
use crate::wire::telemetry as wire;

/// The shortest `reportingInterval`.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// The values of `match.metric`; `None` is all of them.
const METRICS: [(&str, Option<Metric>); 11] = [
    ("ALL_METRICS", None),
    ("REQUEST_COUNT", Some(Metric::RequestCount)),
    ("REQUEST_DURATION", Some(Metric::RequestDuration)),
    ("REQUEST_SIZE", Some(Metric::RequestSize)),
    ("RESPONSE_SIZE", Some(Metric::ResponseSize)),
    ("TCP_OPENED_CONNECTIONS", Some(Metric::TcpOpenedConnections)),
    ("TCP_CLOSED_CONNECTIONS", Some(Metric::TcpClosedConnections)),
    ("TCP_SENT_BYTES", Some(Metric::TcpSentBytes)),
    ("TCP_RECEIVED_BYTES", Some(Metric::TcpReceivedBytes)),
    ("GRPC_REQUEST_MESSAGES", Some(Metric::GrpcRequestMessages)),
    ("GRPC_RESPONSE_MESSAGES", Some(Metric::GrpcResponseMessages)),
];

/// Reads a Telemetry; `None` where it is for other proxies than sidecars and gateways.
pub(crate) fn parse(
    wire: &wire::Telemetry,
    meta: &Arc<Meta>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Telemetry> {
    // They were reported as unsupported when they were read.
    if wire.target_ref.is_some() || !wire.target_refs.is_empty() {
        return None;
    }
    let selector = wire.selector.as_ref().map(|selector| {
        read::selector(diagnostics, "selector.matchLabels", &selector.match_labels)
    });
    Some(Telemetry {
        meta: Arc::clone(meta),
        selector: selector.filter(|labels: &Labels| !labels.is_empty()),
        logs: !wire.access_logging.is_empty(),
        access_logging: numbered(
            diagnostics,
            "accessLogging",
            &wire.access_logging,
            access_logging,
        ),
        metrics: numbered(diagnostics, "metrics", &wire.metrics, metrics),
        traces: !wire.tracing.is_empty(),
        tracing: numbered(diagnostics, "tracing", &wire.tracing, tracing),
    })
}

/// The elements of a list that count, read with their index.
fn numbered<W, T>(
    diagnostics: &mut Diagnostics<'_>,
    part: &str,
    list: &[W],
    read: fn(&W, usize, &mut Diagnostics<'_>) -> Option<T>,
) -> Vec<T> {
    let mut index = 0;
    diagnostics.each(part, list, |diagnostics, wire| {
        index += 1;
        read(wire, index - 1, diagnostics)
    })
}

fn access_logging(
    wire: &wire::AccessLogging,
    index: usize,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<AccessLogging> {
    let mode = wire.selector.as_ref().map(|selector| &*selector.mode);
    let outbound = is_outbound(diagnostics, mode);
    let filter = wire.filter.as_ref();
    let filter = filter.filter(|filter| !filter.expression.is_empty());
    let read = AccessLogging {
        providers: providers(diagnostics, &wire.providers),
        disabled: wire.disabled,
        filter: filter.and_then(|filter| {
            expression(
                diagnostics,
                "filter.expression",
                &filter.expression,
                [
                    "every call is logged",
                    "calls that ask for it are not logged",
                ],
            )
        }),
        index,
    };
    outbound.then_some(read)
}

fn metrics(
    wire: &wire::Metrics,
    index: usize,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Metrics> {
    let providers = providers(diagnostics, &wire.providers);
    let overrides = diagnostics.each("overrides", &wire.overrides, |diagnostics, wire| {
        metric_override(wire, diagnostics)
    });
    Some(Metrics {
        providers,
        overrides,
        reporting_interval: wire
            .reporting_interval
            .as_deref()
            .and_then(|text| interval(diagnostics, text)),
        index,
    })
}

fn interval(diagnostics: &mut Diagnostics<'_>, text: &str) -> Option<Duration> {
    let Some(interval) = value::duration(text) else {
        let message = (
            "not a duration: the interval is the default",
            "write one such as `5s`",
        );
        diagnostics.warn("reportingInterval", text, message);
        return None;
    };
    if interval < INTERVAL_MIN {
        let message = (
            "the shortest interval is used, which is 1s",
            "write `1s` or more",
        );
        diagnostics.warn("reportingInterval", text, message);
    }
    Some(interval.max(INTERVAL_MIN))
}

fn metric_override(
    wire: &wire::MetricsOverride,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<MetricOverride> {
    let selector = wire.selector.as_ref();
    let outbound = is_outbound(diagnostics, selector.map(|selector| &*selector.mode));
    let mut metric = Some(None);
    if let Some(selector) = selector {
        if !selector.custom_metric.is_empty() {
            let message = (
                "not supported: there are Istio's metrics alone, and this override is left out",
                "use metric",
            );
            diagnostics.warn("match.customMetric", &selector.custom_metric, message);
            metric = None;
        } else {
            let effect = "the override is left out";
            metric = enum_value(
                diagnostics,
                "match.metric",
                &selector.metric,
                &METRICS,
                effect,
            );
        }
    }
    let tags = diagnostics.within("tagOverrides", |diagnostics| {
        let tags = wire.tag_overrides.iter().filter_map(|(name, wire)| {
            let tag = diagnostics.within(name, |diagnostics| tag(name, wire, diagnostics))?;
            Some((label(name), tag))
        });
        tags.collect::<BTreeMap<_, _>>()
    });
    let metric = metric.filter(|_| outbound)?;
    Some(MetricOverride {
        metric,
        disabled: wire.disabled,
        tags,
    })
}

fn tag(
    name: &str,
    wire: &wire::TagOverride,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<TagOverride> {
    if name.is_empty() {
        let message = ("a tag without a name is left out", "write its name");
        diagnostics.warn("", NO_VALUE, message);
        return None;
    }
    let operations = [("UPSERT", false), ("REMOVE", true)];
    let effect = "the tag stays as it is";
    let remove = enum_value(
        diagnostics,
        "operation",
        &wire.operation,
        &operations,
        effect,
    )?;
    if remove {
        if !wire.value.is_empty() {
            let message = ("REMOVE has no value, it is ignored", "leave it out");
            diagnostics.warn("value", &wire.value, message);
        }
        return Some(TagOverride::Remove);
    }
    if wire.value.is_empty() {
        let message = (
            "UPSERT has no value: the tag stays as it is",
            "write an expression such as `request.host`",
        );
        diagnostics.warn("value", NO_VALUE, message);
        return None;
    }
    let effects = [
        "the tag stays as it is",
        "the tag is `unknown` where it is used",
    ];
    expression(diagnostics, "value", &wire.value, effects).map(TagOverride::Upsert)
}

/// The name of a label of Prometheus, for that of a tag: other characters become `_`.
fn label(name: &str) -> Arc<str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut label: String = name
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect();
    if label.starts_with(|c: char| c.is_ascii_digit()) {
        label.insert(0, '_');
    }
    label.into()
}

fn tracing(
    wire: &wire::Tracing,
    index: usize,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Tracing> {
    let mode = wire.selector.as_ref().map(|selector| &*selector.mode);
    let outbound = is_outbound(diagnostics, mode);
    let names = providers(diagnostics, &wire.providers);
    if let [_, second, ..] = &names[..] {
        let message = ("only the first provider counts", "leave out the others");
        diagnostics.warn("providers[1].name", second, message);
    }
    let percentage = wire.random_sampling_percentage;
    let read = Tracing {
        provider: names.into_iter().next(),
        sampling: percentage
            .and_then(|percent| sampling(diagnostics, "randomSamplingPercentage", percent)),
        disable_span_reporting: wire.disable_span_reporting,
        custom_tags: tags::custom_tags(&wire.custom_tags, diagnostics),
        istio_tags: wire.enable_istio_tags,
        use_request_id: wire.use_request_id_for_trace_sampling,
        disable_context_propagation: wire.disable_context_propagation,
        index,
    };
    outbound.then_some(read)
}

/// A percentage in millionths; `None` where it is none, with a warning.
pub(crate) fn sampling(diagnostics: &mut Diagnostics<'_>, part: &str, percent: f64) -> Option<u32> {
    if !(0.0..=100.0).contains(&percent) {
        let message = (
            "not a percentage: what is inherited counts",
            "write a number from 0 to 100",
        );
        diagnostics.warn(part, percent, message);
        return None;
    }
    // At most 1,000,000 by the check above.
    Some((percent * 10_000.0).round() as u32)
}

fn providers(diagnostics: &mut Diagnostics<'_>, list: &[wire::ProviderRef]) -> Vec<Arc<str>> {
    diagnostics.each("providers", list, |diagnostics, provider| {
        if provider.name.is_empty() {
            let message = (
                "a provider has a name",
                "write that of an extensionProvider",
            );
            diagnostics.warn("name", NO_VALUE, message);
        }
        Some(Arc::from(provider.name.as_str()))
    })
}

/// Whether a mode is for calls that leave, which all calls of egret do.
fn is_outbound(diagnostics: &mut Diagnostics<'_>, mode: Option<&str>) -> bool {
    let modes = [
        ("CLIENT_AND_SERVER", true),
        ("CLIENT", true),
        ("SERVER", false),
    ];
    let effect = "CLIENT_AND_SERVER is taken";
    let mode = mode.unwrap_or_default();
    enum_value(diagnostics, "match.mode", mode, &modes, effect).unwrap_or(true)
}

/// One of the values of an enumeration; empty gives the first. `None` for another value, with a warning that names what
/// happens then.
fn enum_value<T: Copy>(
    diagnostics: &mut Diagnostics<'_>,
    part: &str,
    text: &str,
    choices: &[(&str, T)],
    effect: &str,
) -> Option<T> {
    let value = read::choice(text, choices);
    if value.is_none() {
        let message = (
            format!("no such value: {effect}"),
            format!("write one of {}", read::names(choices)),
        );
        diagnostics.warn(part, text, message);
    }
    value
}

/// An expression. `effects` are what happens where it is none, and where an attribute is unknown.
fn expression(
    diagnostics: &mut Diagnostics<'_>,
    part: &str,
    text: &str,
    [unread, unknown]: [&str; 2],
) -> Option<Arc<Expression>> {
    match Expression::parse(text) {
        Ok(expression) => {
            for attribute in expression.unknown() {
                let message = (
                    format!("no such attribute: {unknown}"),
                    "write one of Envoy's attributes, such as response.code",
                );
                diagnostics.warn(part, attribute, message);
            }
            Some(Arc::new(expression))
        }
        Err(error) => {
            let excerpt = if error.excerpt.is_empty() {
                text
            } else {
                &error.excerpt
            };
            let message = (
                format!(
                    "not an expression that egret evaluates, {unread}: {}",
                    error.reason
                ),
                "correct the expression",
            );
            diagnostics.warn(part, excerpt, message);
            None
        }
    }
}
