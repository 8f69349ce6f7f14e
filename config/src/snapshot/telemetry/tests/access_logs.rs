//! Where lines go.

use super::*;

/// The targets, one a line: file, format, and other settings.
fn access_logs(content: &str) -> (Vec<String>, Vec<String>) {
    let (snapshot, problems) = snapshot(content);
    let targets = snapshot.telemetry.access_logs.iter().map(|target| {
        let format = match &target.format {
            FormatSource::DefaultText => "text".to_owned(),
            FormatSource::DefaultJson => "json".to_owned(),
            FormatSource::Text(text) => format!("{text:?}"),
            FormatSource::Json(object) => serde_json::to_string(&**object).unwrap(),
        };
        let filter = target.filter.as_ref();
        let filter = filter.map_or_else(String::new, |filter| format!(" if {}", filter.text()));
        let omit = if target.omit_empty { " omitting" } else { "" };
        format!("{} {format}{omit}{filter}", target.path)
    });
    (targets.collect(), problems)
}

/// MeshConfig with two files beside the log that needs no declaration.
const MESH: &str = "accessLogFile: /mesh\nextensionProviders: [{name: one, envoyFileAccessLog: {path: /one}}, {name: two, envoyFileAccessLog: {path: /two}}]\n";

#[track_caller]
fn check(table: &[(&str, [&str; 3], &[&str])]) {
    for (mesh, specs, expected) in table {
        let (targets, problems) = access_logs(&format!("{MESH}{mesh}{}", levels(*specs)));
        assert_eq!(targets, *expected, "{mesh} {specs:?}");
        assert_eq!(problems, [""; 0], "{mesh} {specs:?}");
    }
}

#[test]
fn mesh_config_counts_where_nothing_else_is_set() {
    for (mesh, expected) in [
        ("rootNamespace: istio-system\n", &[][..]),
        ("accessLogFile: /dev/stdout\n", &["/dev/stdout text"]),
        ("accessLogFile: /a\naccessLogEncoding: JSON\n", &["/a json"]),
        (
            "accessLogFile: /a\naccessLogFormat: '%PROTOCOL%'\n",
            &["/a \"%PROTOCOL%\""],
        ),
        (
            "accessLogFile: /a\naccessLogEncoding: JSON\naccessLogFormat: '{\"z\": \"%PROTOCOL%\", \"a\": {\"b\": 1}}'\n",
            &["/a {\"z\":\"%PROTOCOL%\",\"a\":{\"b\":1}}"],
        ),
    ] {
        assert_eq!(
            access_logs(mesh),
            (expected.iter().map(ToString::to_string).collect(), vec![]),
            "{mesh}"
        );
    }
    let metrics_alone = levels(["metrics: [{}]", "", "tracing: [{}]"]);
    let (targets, _) = access_logs(&format!("{MESH}{metrics_alone}"));
    assert_eq!(targets, ["/mesh text"]);
}

#[test]
fn formats_are_those_of_their_providers() {
    let mesh = "accessLogFormat: '%PATH%'\nextensionProviders:\n- {name: a, envoyFileAccessLog: {}}\n- {name: b, envoyFileAccessLog: {path: /b, logFormat: {text: '%PROTOCOL%'}}}\n- {name: c, envoyFileAccessLog: {path: /c, logFormat: {labels: {}}, omitEmptyValues: true}}\n- name: d\n  envoyFileAccessLog:\n    path: /d\n    logFormat:\n      labels:\n        z: '%PROTOCOL%'\n        nested: {list: [1, 'a%PATH%'], on: true, half: 0.5}\ndefaultProviders: {accessLogging: [a, B, c, d, envoy]}\n";
    let (targets, problems) = access_logs(mesh);
    assert_eq!(problems, [""; 0]);
    assert_eq!(
        targets,
        [
            "/dev/stdout text",
            "/b \"%PROTOCOL%\"",
            "/c json omitting",
            "/d {\"z\":\"%PROTOCOL%\",\"nested\":{\"list\":[1,\"a%PATH%\"],\"on\":true,\"half\":0.5}}",
            "/dev/stdout \"%PATH%\"",
        ]
    );
    // A file for `envoy` alone keeps MeshConfig's format.
    let mesh = "accessLogFormat: '%PATH%'\nextensionProviders: [{name: envoy, envoyFileAccessLog: {path: /e}}]\ndefaultProviders: {accessLogging: [Envoy]}\n";
    assert_eq!(access_logs(mesh).0, ["/e \"%PATH%\""]);
}

#[test]
fn levels_replace_change_and_silence() {
    let envoy = "accessLogging: [{providers: [{name: envoy}]}]";
    let one = "accessLogging: [{providers: [{name: one}]}]";
    let both = "accessLogging: [{providers: [{name: one}, {name: two}]}]";
    let defaults = "defaultProviders: {accessLogging: [one]}\n";
    check(&[
        (defaults, ["", "", ""], &["/one text"]),
        ("", [envoy, "", ""], &["/dev/stdout text"]),
        ("", [envoy, one, ""], &["/one text"]),
        ("", [envoy, one, both], &["/one text", "/two text"]),
        (defaults, [envoy, "", ""], &["/dev/stdout text"]),
        ("", [both, "accessLogging: [{disabled: true}]", ""], &[]),
        (
            "",
            [
                both,
                "accessLogging: [{disabled: true}]",
                "accessLogging: [{disabled: false}]",
            ],
            &["/one text", "/two text"],
        ),
        (
            "",
            [both, "accessLogging: [{disabled: true}]", one],
            &["/one text"],
        ),
        (
            "",
            [
                both,
                "accessLogging: [{providers: [{name: one}], disabled: true}]",
                "",
            ],
            &[],
        ),
        (
            "",
            [
                both,
                "accessLogging: [{providers: [{name: one}], disabled: true}, {providers: [{name: two}]}]",
                "",
            ],
            &["/two text"],
        ),
        (defaults, ["", "accessLogging: [{disabled: true}]", ""], &[]),
        (
            defaults,
            ["", "", "accessLogging: [{filter: {expression: 'true'}}]"],
            &["/one text if true"],
        ),
    ]);
}

#[test]
fn filters_belong_to_provider_and_level() {
    let with = |name: &str, filter: &str| {
        format!(
            "accessLogging: [{{providers: [{{name: {name}}}], filter: {{expression: '{filter}'}}}}]"
        )
    };
    let plain = "accessLogging: [{providers: [{name: one}]}]";
    let anyone = "accessLogging: [{filter: {expression: '2 == 2'}}]";
    let each = "accessLogging: [{providers: [{name: one}], filter: {expression: '1 == 1'}}, {providers: [{name: two}], filter: {expression: '2 == 2'}}]";
    check(&[
        (
            "",
            [&with("one", "1 == 1"), "", ""],
            &["/one text if 1 == 1"],
        ),
        (
            "",
            [&with("one", "1 == 1"), &with("one", "3 == 3"), ""],
            &["/one text if 3 == 3"],
        ),
        ("", [&with("one", "1 == 1"), plain, ""], &["/one text"]),
        (
            "",
            [&with("one", "1 == 1"), anyone, ""],
            &["/one text if 2 == 2"],
        ),
        (
            "",
            [
                &with("one", "1 == 1"),
                "accessLogging: [{disabled: false}]",
                "",
            ],
            &["/one text if 1 == 1"],
        ),
        (
            "",
            [each, "", ""],
            &["/one text if 1 == 1", "/two text if 2 == 2"],
        ),
        (
            "",
            [each, "accessLogging: [{filter: {expression: 'true'}}]", ""],
            &["/one text if true", "/two text if true"],
        ),
    ]);
}

#[test]
fn what_is_for_calls_that_arrive_changes_nothing_else() {
    let server =
        "accessLogging: [{match: {mode: SERVER}, providers: [{name: two}], disabled: true}]";
    check(&[
        (
            "",
            ["accessLogging: [{providers: [{name: one}]}]", server, ""],
            &["/one text"],
        ),
        (
            "defaultProviders: {accessLogging: [one]}\n",
            [server, "", ""],
            &["/one text"],
        ),
        // There is accessLogging for this proxy, so that accessLogFile does not count.
        ("", [server, "", ""], &[]),
        (
            "",
            [
                "accessLogging: [{match: {mode: CLIENT}, providers: [{name: one}]}]",
                "",
                "",
            ],
            &["/one text"],
        ),
    ]);
}

#[test]
fn names_without_a_log_are_reported() {
    for (mesh, specs, targets, problems) in [
        (
            "",
            [
                "accessLogging: [{providers: [{name: one}, {name: onw}]}]",
                "",
                "",
            ],
            "/one text",
            "Telemetry istio-system/root: spec.accessLogging[0].providers[1].name: \"onw\": no such provider: no line is written for it; name an extensionProvider envoyFileAccessLog",
        ),
        (
            "",
            ["accessLogging: [{providers: [{name: onw}]}]", "", ""],
            "/dev/stdout text",
            "Telemetry istio-system/root: spec.accessLogging[0].providers[0].name: \"onw\": no such provider: lines go to envoy instead; name an extensionProvider envoyFileAccessLog",
        ),
        (
            "",
            [
                "accessLogging: [{providers: [{name: two}]}]",
                "accessLogging: [{}, {providers: [{name: onw}]}]",
                "",
            ],
            "/two text",
            "Telemetry shop/own: spec.accessLogging[1].providers[0].name: \"onw\": no such provider: lines go to two instead; name an extensionProvider envoyFileAccessLog",
        ),
        (
            "",
            [
                "accessLogging: [{providers: [{name: one}, {name: prometheus}]}]",
                "",
                "",
            ],
            "/one text",
            "Telemetry istio-system/root: spec.accessLogging[0].providers[1].name: \"prometheus\": a provider of another kind: no line is written for it; name an extensionProvider envoyFileAccessLog",
        ),
        (
            "",
            [
                "accessLogging: [{providers: [{name: stackdriver}]}]",
                "",
                "",
            ],
            "",
            "Telemetry istio-system/root: spec.accessLogging[0].providers[0].name: \"stackdriver\": a provider of a kind that is not supported, stackdriver: no line is written for it; name an extensionProvider envoyFileAccessLog",
        ),
        (
            "defaultProviders: {accessLogging: [nobody, one]}\n",
            ["", "", ""],
            "/one text",
            "MeshConfig: defaultProviders.accessLogging[0]: \"nobody\": no such provider: no line is written for it; name an extensionProvider envoyFileAccessLog",
        ),
        (
            "",
            ["accessLogging: [{filter: {expression: 'true'}}]", "", ""],
            "",
            "Telemetry istio-system/root: spec.accessLogging[0]: no provider is in force: nothing is logged, and accessLogFile does not count; name a provider, such as `envoy`",
        ),
    ] {
        let outcome = access_logs(&format!("{MESH}{mesh}{}", levels(specs)));
        assert_eq!(
            (outcome.0.join("\n"), outcome.1.join("\n")),
            (targets.to_owned(), problems.to_owned()),
            "{specs:?}"
        );
    }
}

#[test]
fn the_oldest_without_selector_counts_and_others_are_reported() {
    let log = |name: &str| format!("{{accessLogging: [{{providers: [{{name: {name}}}]}}]}}");
    let content = format!(
        "{MESH}{}{}",
        object("shop", "b", &log("two")),
        object("shop", "a", &log("one"))
    );
    let (targets, problems) = access_logs(&content);
    assert_eq!(targets, ["/one text"]);
    assert_eq!(
        problems,
        [
            "Telemetry shop/b: spec.selector: ignored: Telemetry shop/a has no selector either, is of the same namespace, and comes first; put both into one object, or write a selector"
        ]
    );
}

#[test]
fn objects_of_other_workloads_do_not_count() {
    let log = "accessLogging: [{providers: [{name: one}]}]";
    for (namespace, selector, counts) in [
        ("shop", "", true),
        ("shop", "selector: {matchLabels: {app: cart}}, ", true),
        (
            "shop",
            "selector: {matchLabels: {app: cart, version: v1}}, ",
            true,
        ),
        (
            "shop",
            "selector: {matchLabels: {app: cart, version: v2}}, ",
            false,
        ),
        ("shop", "selector: {}, ", true),
        ("istio-system", "", true),
        (
            "istio-system",
            "selector: {matchLabels: {app: cart}}, ",
            false,
        ),
        ("bank", "", false),
        ("bank", "selector: {matchLabels: {app: cart}}, ", false),
    ] {
        let content = format!(
            "{MESH}{}",
            object(namespace, "t", &format!("{{{selector}{log}}}"))
        );
        let expected = if counts { "/one text" } else { "/mesh text" };
        assert_eq!(
            access_logs(&content),
            (vec![expected.to_owned()], vec![]),
            "{namespace} {selector}"
        );
    }
    let content = format!(
        "{MESH}rootNamespace: mesh\n{}",
        object("mesh", "t", &format!("{{{log}}}"))
    );
    assert_eq!(access_logs(&content).0, ["/one text"]);
}
