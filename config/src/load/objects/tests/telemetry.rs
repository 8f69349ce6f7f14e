//! Problems of Telemetries and of providers. None of them removes the rest of an object.

use crate::load::load;
use crate::model::objects::Objects;
use crate::problem::{Problem, Severity};

use super::texts;

/// The problems of a document without their location, and what was understood.
fn read(content: &str) -> (Objects, Vec<String>) {
    let (objects, problems) = load(&texts(content), None);
    let messages = problems.iter().map(|problem| {
        assert_eq!(problem.severity, Severity::Warning, "{problem}");
        let text = problem.to_string();
        text.split_once(": ")
            .map_or_else(String::new, |(_, text)| text.to_owned())
    });
    (objects, messages.collect())
}

fn telemetry(spec: &str) -> (Objects, Vec<String>) {
    read(&format!(
        "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: t, namespace: n}}\nspec: {spec}\n"
    ))
}

#[track_caller]
fn check(read: fn(&str) -> (Objects, Vec<String>), title: &str, table: &[(&str, &str)]) {
    for (content, expected) in table {
        let (_, messages) = read(content);
        let expected: Vec<_> = expected
            .lines()
            .map(|line| format!("{title}: {line}"))
            .collect();
        assert_eq!(messages, expected, "{content}");
    }
}

#[test]
fn both_versions_are_read() {
    for (version, understood) in [("v1", 1), ("v1alpha1", 1), ("v1beta1", 0)] {
        let content = format!(
            "apiVersion: telemetry.istio.io/{version}\nkind: Telemetry\nmetadata: {{name: t}}\nspec: {{}}\n"
        );
        let (objects, problems) = load(&texts(&content), None);
        assert_eq!(objects.telemetries.len(), understood, "{problems:?}");
        assert_eq!(problems.len(), 1 - understood);
    }
}

#[test]
fn telemetries_are_checked() {
    check(
        telemetry,
        "Telemetry n/t",
        &[
            ("{}", ""),
            (
                "{accessLogging: [{providers: [{name: envoy}], filter: {expression: 'response.code >= 400'}}], metrics: [{overrides: [{match: {metric: REQUEST_COUNT, mode: CLIENT}, disabled: false, tagOverrides: {a: {value: request.host}, b: {operation: REMOVE}}}], reportingInterval: 5s}], tracing: [{providers: [{name: otel}], randomSamplingPercentage: 12.5, customTags: {a: {literal: {value: b}}}}]}",
                "",
            ),
            (
                "{accessLogging: [{filter: {expression: 'response.code > '}}]}",
                "spec.accessLogging[0].filter.expression: \"response.code >\": not an expression that egret evaluates, every call is logged: ends too soon, at the end of the expression; correct the expression",
            ),
            (
                "{accessLogging: [{filter: {expression: 'response.code = 5'}}]}",
                "spec.accessLogging[0].filter.expression: \"=\": not an expression that egret evaluates, every call is logged: not a character of an expression; correct the expression",
            ),
            (
                "{accessLogging: [{filter: {expression: 'response.cod >= 400 || requst.path == \"a\"'}}]}",
                "spec.accessLogging[0].filter.expression: \"response.cod\": no such attribute: calls that ask for it are not logged; write one of Envoy's attributes, such as response.code\nspec.accessLogging[0].filter.expression: \"requst.path\": no such attribute: calls that ask for it are not logged; write one of Envoy's attributes, such as response.code",
            ),
            (
                "{accessLogging: [{match: {mode: CLIENTS}, providers: [{}]}]}",
                "spec.accessLogging[0].match.mode: \"CLIENTS\": no such value: CLIENT_AND_SERVER is taken; write one of CLIENT_AND_SERVER, CLIENT, SERVER\nspec.accessLogging[0].providers[0].name: a provider has a name; write that of an extensionProvider",
            ),
            (
                "{metrics: [{overrides: [{match: {metric: REQUEST_COUNTS}}]}]}",
                "spec.metrics[0].overrides[0].match.metric: \"REQUEST_COUNTS\": no such value: the override is left out; write one of ALL_METRICS, REQUEST_COUNT, REQUEST_DURATION, REQUEST_SIZE, RESPONSE_SIZE, TCP_OPENED_CONNECTIONS, TCP_CLOSED_CONNECTIONS, TCP_SENT_BYTES, TCP_RECEIVED_BYTES, GRPC_REQUEST_MESSAGES, GRPC_RESPONSE_MESSAGES",
            ),
            (
                "{metrics: [{overrides: [{match: {customMetric: mine}}]}]}",
                "spec.metrics[0].overrides[0].match.customMetric: \"mine\": not supported: there are Istio's metrics alone, and this override is left out; use metric",
            ),
            (
                "{metrics: [{overrides: [{tagOverrides: {a: {}, b: {operation: DROP}, c: {operation: REMOVE, value: x}, d: {value: 'f('}, e: {value: foo}}}]}]}",
                "spec.metrics[0].overrides[0].tagOverrides.a.value: UPSERT has no value: the tag stays as it is; write an expression such as `request.host`\nspec.metrics[0].overrides[0].tagOverrides.b.operation: \"DROP\": no such value: the tag stays as it is; write one of UPSERT, REMOVE\nspec.metrics[0].overrides[0].tagOverrides.c.value: \"x\": REMOVE has no value, it is ignored; leave it out\nspec.metrics[0].overrides[0].tagOverrides.d.value: \"f(\": not an expression that egret evaluates, the tag stays as it is: ends too soon, at the end of the expression; correct the expression\nspec.metrics[0].overrides[0].tagOverrides.e.value: \"foo\": no such attribute: the tag is `unknown` where it is used; write one of Envoy's attributes, such as response.code",
            ),
            (
                "{metrics: [{reportingInterval: 10ms}, {reportingInterval: often}]}",
                "spec.metrics[0].reportingInterval: \"10ms\": the shortest interval is used, which is 1s; write `1s` or more\nspec.metrics[1].reportingInterval: \"often\": not a duration: the interval is the default; write one such as `5s`",
            ),
            (
                "{tracing: [{providers: [{name: a}, {name: b}], randomSamplingPercentage: 101}]}",
                "spec.tracing[0].providers[1].name: \"b\": only the first provider counts; leave out the others\nspec.tracing[0].randomSamplingPercentage: \"101\": not a percentage: what is inherited counts; write a number from 0 to 100",
            ),
            (
                "{tracing: [{customTags: {a: {}, b: {header: {name: 'x y'}}, c: {environment: {}}, d: {formatter: {value: '%X%'}}}}]}",
                "spec.tracing[0].customTags.a: a tag without a value is left out; write literal, environment, header or formatter\nspec.tracing[0].customTags.b.header.name: \"x y\": not the name of a header, the tag is left out; write a name such as x-team\nspec.tracing[0].customTags.c.environment.name: the tag is left out; write the name of a variable\nspec.tracing[0].customTags.d.formatter.value: \"X\": not a format, the tag is left out: no operator that is known; use the operators of docs/access-log.md",
            ),
            (
                "{targetRefs: [{kind: Gateway, name: g, group: gateway.networking.k8s.io}]}",
                "spec.targetRefs: not supported yet, ignored: it means neither a sidecar nor an ordinary gateway, and nothing of this object counts; use selector",
            ),
            (
                "{accessLogging: [{filters: {}}]}",
                "spec.accessLogging[0].filters: unknown field, ignored; did you mean `filter`?",
            ),
        ],
    );
}

#[test]
fn what_is_wrong_takes_nothing_else_away() {
    let (objects, problems) = telemetry(
        "{metrics: [{overrides: [{match: {metric: NONE}}, {match: {metric: REQUEST_SIZE}, disabled: true}]}], accessLogging: [{match: {mode: SERVER}}, {filter: {expression: '('}}], tracing: [{randomSamplingPercentage: -1, disableSpanReporting: true}]}",
    );
    assert_eq!(problems.len(), 3, "{problems:?}");
    let [telemetry] = &objects.telemetries[..] else {
        panic!("{problems:?}");
    };
    let [logging] = &telemetry.access_logging[..] else {
        panic!("{telemetry:?}");
    };
    assert_eq!((logging.index, logging.filter.is_none()), (1, true));
    assert_eq!(telemetry.metrics[0].overrides.len(), 1);
    assert_eq!(telemetry.tracing[0].sampling, None);
    assert_eq!(telemetry.tracing[0].disable_span_reporting, Some(true));
}

#[test]
fn one_with_target_references_is_left_out() {
    let (objects, _) = telemetry("{targetRef: {kind: Service, name: s}, accessLogging: [{}]}");
    assert_eq!(objects.telemetries.len(), 0);
}

#[test]
fn a_selector_that_selects_nothing_is_an_error() {
    let content = "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {name: t}\nspec: {selector: {matchLabels: {app: '*'}}}\n";
    let (objects, problems) = load(&texts(content), None);
    assert_eq!(objects.telemetries.len(), 0);
    assert_eq!(
        problems.iter().map(Problem::to_string).collect::<Vec<_>>(),
        [
            "f:1: Telemetry default/t: spec.selector.matchLabels: \"app=*\": a selector has no wildcards and no empty keys"
        ]
    );
}

#[test]
fn providers_are_checked() {
    check(
        read,
        "MeshConfig",
        &[
            (
                "extensionProviders: [{name: file, envoyFileAccessLog: {path: /a, logFormat: {labels: {p: '%PROTOCOL%', n: {m: 1}}}, omitEmptyValues: true}}, {name: prom, prometheus: {}}, {name: otel, opentelemetry: {service: o.test, port: 4317, grpc: {timeout: 5s}}}, {name: zip, zipkin: {service: n/z.test, port: 9411, enable64bitTraceId: true, traceContextOption: USE_B3_WITH_W3C_PROPAGATION}}]\ndefaultProviders: {accessLogging: [file], metrics: [prom], tracing: [otel]}\n",
                "",
            ),
            (
                "extensionProviders: [{name: a, envoyOtelAls: {service: a, port: 1}}, {name: b, skywalking: {service: a, port: 1}}, {name: c, stackdriver: {}}]\n",
                "extensionProviders[0].envoyOtelAls: not supported yet, ignored: logs go to files alone; use envoyFileAccessLog\nextensionProviders[1].skywalking: not supported yet, ignored: no spans go there; use opentelemetry or zipkin\nextensionProviders[2].stackdriver: not supported yet, ignored: neither logs nor metrics nor spans go there; use envoyFileAccessLog, prometheus or opentelemetry",
            ),
            (
                "extensionProviders: [{name: a}, {name: A, prometheus: {}}, {prometheus: {}}]\n",
                "extensionProviders[0]: \"a\": a provider without a kind is not used; write envoyFileAccessLog, opentelemetry, zipkin or prometheus\nextensionProviders[1].name: \"A\": another provider has this name, and counts; rename one of them\nextensionProviders[2].name: a provider without a name is not used; write its name",
            ),
            (
                "extensionProviders: [{name: a, opentelemetry: {service: o.test, port: 4318, http: {path: v1, timeout: soon, headers: [{name: 'a b', value: secret}, {name: x, value: \"sec\\nret\"}]}, dynatraceSampler: {}}}]\n",
                "extensionProviders[0].opentelemetry.dynatraceSampler: not supported yet, ignored: the percentage decides what is sampled; use randomSamplingPercentage of a Telemetry\nextensionProviders[0].opentelemetry.http.path: \"v1\": not a path: /v1/traces is used; write one that begins with `/`\nextensionProviders[0].opentelemetry.http.timeout: \"soon\": not a duration: the default is used; write one such as `10s`\nextensionProviders[0].opentelemetry.http.headers[0].name: \"a b\": not the name of a header, it is not sent; write a name such as x-team\nextensionProviders[0].opentelemetry.http.headers[1].value: not the value of a header, it is not sent; use visible letters",
            ),
            (
                "extensionProviders: [{name: a, zipkin: {service: 'z test', port: 1}}, {name: b, zipkin: {service: z.test}}]\n",
                "extensionProviders[0].zipkin.service: \"z test\": not a host: calls are not traced; write `host` or `namespace/host`, such as otel.monitoring.svc.cluster.local\nextensionProviders[1].zipkin.port: \"0\": not a port: calls are not traced; write a number from 1 to 65535",
            ),
            (
                "accessLogFormat: '%PROTOCOL% %NOPE%'\nextensionProviders: [{name: a, envoyFileAccessLog: {logFormat: {labels: {a: {b: '%REQ%'}}}}}, {name: b, envoyFileAccessLog: {logFormat: {text: '100%'}}}, {name: c, envoyFileAccessLog: {logFormat: {labels: [a], text: x}}}]\n",
                "accessLogFormat: \"NOPE\": not a format, Istio's default text is logged: no operator that is known; use the operators of docs/access-log.md\nextensionProviders[0].envoyFileAccessLog.logFormat.labels: \"REQ\": not a format, Istio's keys are logged: this operator needs an argument: REQ(A?B); use the operators of docs/access-log.md\nextensionProviders[1].envoyFileAccessLog.logFormat.text: \"%\": not a format, Istio's default text is logged: no operator begins here; a percent sign is written `%%`; use the operators of docs/access-log.md\nextensionProviders[2].envoyFileAccessLog.logFormat.labels: text and labels: labels are ignored; leave one of them out",
            ),
            (
                "accessLogEncoding: JSON\naccessLogFormat: '[%START_TIME%]'\n",
                "accessLogFormat: \"[%START_TIME%]\": not a JSON object, as accessLogEncoding JSON wants it: Istio's keys are logged; write an object, or accessLogEncoding: TEXT",
            ),
            (
                "defaultConfig: {tracing: {zipkin: {address: zipkin}, sampling: 200, datadog: {}, tlsSettings: {}}}\n",
                "defaultConfig.tracing.datadog: not supported yet, ignored: no spans go there; write an extensionProvider opentelemetry or zipkin\ndefaultConfig.tracing.tlsSettings: not supported yet, ignored: TLS towards a collector follows the DestinationRule of its host; write a DestinationRule\ndefaultConfig.tracing.zipkin.address: \"zipkin\": not a host and a port: calls are not traced; write them as zipkin.istio-system:9411\ndefaultConfig.tracing.sampling: \"200\": not a percentage: what is inherited counts; write a number from 0 to 100",
            ),
        ],
    );
}

#[test]
fn values_of_headers_are_not_printed() {
    let (objects, problems) = read(
        "extensionProviders: [{name: a, opentelemetry: {service: o.test, port: 4318, http: {headers: [{name: Authorization, value: token-1}, {name: x, envName: TOKEN}]}}}]\n",
    );
    assert_eq!(problems, [""; 0]);
    let debug = format!("{:?}", objects.mesh.extension_providers);
    assert!(!debug.contains("token-1"), "{debug}");
    assert!(
        debug.contains("authorization") && debug.contains("$TOKEN"),
        "{debug}"
    );
}
