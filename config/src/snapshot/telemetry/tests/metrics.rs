//! What differs from Istio's metrics.

use super::*;
use crate::model::telemetry::{Metric, TagOverride};

/// The metrics that differ, one a line, and the problems.
fn differing(content: &str) -> (Vec<String>, Vec<String>) {
    let (snapshot, problems) = snapshot(content);
    let overrides = &snapshot.telemetry.metrics;
    let settings = Metric::ALL.into_iter().filter_map(|metric| {
        let settings = overrides.of(metric);
        let tags = settings.tags.iter().map(|(name, tag)| match tag {
            TagOverride::Remove => format!(" -{name}"),
            TagOverride::Upsert(value) => format!(" {name}={}", value.text()),
        });
        let off = if settings.disabled { " off" } else { "" };
        let text = format!("{metric:?}{off}{}", tags.collect::<String>());
        text.contains(' ').then_some(text)
    });
    (settings.collect(), problems)
}

#[test]
fn overrides_apply_in_order() {
    let count = |more: &str| {
        format!("metrics: [{{overrides: [{{match: {{metric: REQUEST_COUNT}}, {more}}}]}}]")
    };
    let off = "metrics: [{overrides: [{match: {metric: ALL_METRICS}, disabled: true}]}]";
    let all = Metric::ALL.map(|metric| format!("{metric:?} off"));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    for (specs, expected) in [
        (["metrics: [{}]", "", ""], vec![]),
        ([&count("disabled: true"), "", ""], vec!["RequestCount off"]),
        (
            [&count("disabled: true"), &count("disabled: false"), ""],
            vec![],
        ),
        (
            [
                &count("disabled: true"),
                &count("tagOverrides: {a: {operation: REMOVE}}"),
                "",
            ],
            vec!["RequestCount off -a"],
        ),
        (
            [
                &count("tagOverrides: {a: {value: request.host}, b: {operation: REMOVE}}"),
                &count("tagOverrides: {a: {value: request.path}, c: {operation: REMOVE}}"),
                &count("tagOverrides: {b: {value: request.method}}"),
            ],
            vec!["RequestCount a=request.path b=request.method -c"],
        ),
        ([off, "", ""], all.clone()),
        (
            ["metrics: [{overrides: [{disabled: true}]}]", "", ""],
            all.clone(),
        ),
        ([off, "", &count("disabled: false")], all[1..].to_vec()),
        (
            [off, "metrics: [{overrides: [{disabled: false}]}]", ""],
            vec![],
        ),
        (
            [
                "metrics: [{overrides: [{match: {metric: TCP_SENT_BYTES, mode: CLIENT}, disabled: true}]}]",
                "",
                "",
            ],
            vec!["TcpSentBytes off"],
        ),
        (
            [
                "metrics: [{overrides: [{match: {metric: TCP_SENT_BYTES, mode: SERVER}, disabled: true}]}]",
                "",
                "",
            ],
            vec![],
        ),
        (
            [
                "metrics: [{overrides: [{match: {metric: GRPC_REQUEST_MESSAGES}, tagOverrides: {my-tag: {value: \"'x'\"}}}]}]",
                "",
                "",
            ],
            vec!["GrpcRequestMessages my_tag='x'"],
        ),
        (
            [
                "metrics: [{providers: [{name: prometheus}], overrides: [{match: {metric: REQUEST_SIZE}, disabled: true}]}]",
                "",
                "",
            ],
            vec!["RequestSize off"],
        ),
    ] {
        assert_eq!(
            differing(&levels(specs)),
            (expected.into_iter().map(str::to_owned).collect(), vec![]),
            "{specs:?}"
        );
    }
}

#[test]
fn what_cannot_be_honoured_is_a_problem_and_the_rest_counts() {
    let size = "{match: {metric: REQUEST_SIZE}, disabled: true}";
    for (more, settings, problem) in [
        (
            "{match: {customMetric: mine}, disabled: true}",
            "RequestSize off",
            "overrides[1].match.customMetric: \"mine\": not supported",
        ),
        (
            "{match: {metric: REQUESTS}, disabled: true}",
            "RequestSize off",
            "overrides[1].match.metric: \"REQUESTS\": no such value",
        ),
        (
            "{match: {metric: REQUEST_SIZE}, tagOverrides: {a: {value: \"request.\"}}}",
            "RequestSize off",
            "tagOverrides.a.value: ",
        ),
        (
            "{match: {metric: REQUEST_SIZE}, tagOverrides: {a: {value: request.nothing}}}",
            "RequestSize off a=request.nothing",
            "\"request.nothing\": no such attribute",
        ),
    ] {
        let spec = format!("metrics: [{{overrides: [{size}, {more}]}}]");
        let (differences, problems) = differing(&levels([&spec, "", ""]));
        assert_eq!(differences, [settings], "{more}");
        assert!(
            problems.len() == 1 && problems[0].contains(problem),
            "{problems:?}"
        );
    }
    let interval = levels(["metrics: [{reportingInterval: 5s}]", "", ""]);
    assert_eq!(differing(&interval), (vec![], vec![]));
}

#[test]
fn providers_of_metrics_are_prometheus() {
    let mesh = "extensionProviders: [{name: mine, prometheus: {}}, {name: file, envoyFileAccessLog: {}}]\n";
    let size = |names: &str| {
        format!(
            "metrics: [{{providers: [{names}], overrides: [{{match: {{metric: REQUEST_SIZE}}, disabled: true}}]}}]"
        )
    };
    for (mesh_more, spec, settings, problems) in [
        ("", size("{name: mine}"), "RequestSize off", ""),
        (
            "",
            size("{name: stackdriver}, {name: Prometheus}"),
            "RequestSize off",
            "Telemetry istio-system/root: spec.metrics[0].providers[0].name: \"stackdriver\": a provider of a kind that is not supported, stackdriver: no metrics go there; they are scraped by Prometheus; name an extensionProvider prometheus",
        ),
        (
            "",
            size("{name: file}"),
            "",
            "Telemetry istio-system/root: spec.metrics[0].providers[0].name: \"file\": a provider of another kind: no metrics go there; they are scraped by Prometheus; name an extensionProvider prometheus",
        ),
        (
            "",
            size("{name: promtheus}"),
            "RequestSize off",
            "Telemetry istio-system/root: spec.metrics[0].providers[0].name: \"promtheus\": no such provider: prometheus is meant instead; name an extensionProvider prometheus",
        ),
        (
            "defaultProviders: {metrics: [stackdriver]}\n",
            size(""),
            "RequestSize off",
            "MeshConfig: defaultProviders.metrics[0]: \"stackdriver\": a provider of a kind that is not supported, stackdriver: no metrics go there; they are scraped by Prometheus; name an extensionProvider prometheus",
        ),
    ] {
        let outcome = differing(&format!("{mesh}{mesh_more}{}", levels([&spec, "", ""])));
        assert_eq!(
            (outcome.0.join("\n"), outcome.1.join("\n")),
            (settings.to_owned(), problems.to_owned()),
            "{spec}"
        );
    }
}

#[test]
fn the_last_interval_counts() {
    let interval = |specs: [&str; 3]| {
        snapshot(&levels(specs))
            .0
            .telemetry
            .metrics
            .reporting_interval
    };
    assert_eq!(interval(["", "", ""]), None);
    let of = |text: &str| format!("metrics: [{{reportingInterval: {text}}}]");
    let seconds = |seconds| Some(std::time::Duration::from_secs(seconds));
    assert_eq!(interval([&of("7s"), "metrics: [{}]", ""]), seconds(7));
    assert_eq!(interval([&of("7s"), &of("1m"), ""]), seconds(60));
}
