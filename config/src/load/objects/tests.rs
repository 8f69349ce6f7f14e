//! Every rule that an object is checked by, as a table: what a user writes, and what is reported about it.

use crate::load::{Text, load};
use crate::model::objects::Objects;
use crate::name::Kind;
use crate::problem::{Problem, Severity};

mod service_entry;
mod virtual_service;
mod destination_rule;
mod gateway;
mod sidecar;
mod telemetry;
mod mesh_config;
mod kubernetes;

fn texts(content: &str) -> [Text; 1] {
    [Text {
        file: "f".into(),
        bytes: content.into(),
    }]
}

fn object(kind: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: a, namespace: n}}\nspec: {spec}\n"
    )
}

/// What is reported about an object, without file and title, with and without what to write instead. An error leaves it
/// out, a warning does not.
fn reported(kind: &str, spec: &str) -> Vec<(String, String)> {
    let (objects, problems) = load(&texts(&object(kind, spec)), None);
    let start = format!("{kind} n/a: ");
    let reported = problems
        .iter()
        .filter(|problem| !is_about_support(problem))
        .map(|problem| {
            let text = problem.to_string();
            let (_, rest) = text.split_once(&start).unwrap_or(("", &text));
            let short = rest.strip_suffix(&problem.hint).unwrap_or(rest);
            (rest.to_owned(), short.trim_end_matches("; ").to_owned())
        });
    let sound = problems
        .iter()
        .all(|problem| problem.severity == Severity::Warning);
    assert_eq!(
        objects.counts.len(),
        usize::from(sound),
        "{kind} {spec}: {problems:?}"
    );
    reported.collect()
}

#[track_caller]
fn check(kind: &str, table: &[(&str, &str)]) {
    for (spec, expected) in table {
        let reported = reported(kind, spec);
        let expected: Vec<_> = expected
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let agree = reported.len() == expected.len()
            && reported
                .iter()
                .zip(&expected)
                .all(|((full, short), expected)| full == expected || short == expected);
        assert!(agree, "{kind} {spec}: {reported:#?}, not {expected:#?}");
    }
}

/// What is not supported yet is for another test: it changes as egret grows.
fn is_about_support(problem: &Problem) -> bool {
    problem.reason.starts_with("not supported yet, ignored")
}

fn good(content: &str) -> Objects {
    let (objects, problems) = load(&texts(content), None);
    let reported = problems.iter().filter(|problem| !is_about_support(problem));
    assert_eq!(
        reported.map(Problem::to_string).collect::<Vec<_>>(),
        [""; 0],
        "{content}"
    );
    objects
}

#[test]
fn an_object_with_an_error_is_left_out_alone() {
    let content = format!(
        "{}---\n{}---\n{}",
        object("ServiceEntry", "{hosts: ['*']}"),
        object(
            "Gateway",
            "{servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}"
        ),
        object(
            "Gateway",
            "{servers: [{port: {number: 81, name: http, protocol: HTTP}, hosts: ['*']}]}"
        ),
    );
    let (objects, problems) = load(&texts(&content), None);
    assert_eq!(
        objects.counts.iter().collect::<Vec<_>>(),
        [(&Kind::Gateway, &1)]
    );
    assert_eq!(objects.gateways[0].servers[0].port, 81);
    let last = problems
        .iter()
        .map(Problem::to_string)
        .find(|text| text.contains("replaces"));
    assert_eq!(
        last.as_deref(),
        Some("f:11: Gateway n/a: replaces the earlier one of f:6")
    );
    let (objects, problems) = load(&texts("apiVersion: v1\nkind: Service\nspec: {}\n"), None);
    assert!(objects.services.is_empty());
    assert_eq!(
        problems[0].to_string(),
        "f:1: Service: metadata.name: required"
    );
}

#[test]
fn objects_are_in_order_of_age() {
    let one = |name: &str, created: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}, creationTimestamp: {created}}}\nspec: {{servers: [{{port: {{number: 80, name: h, protocol: HTTP}}, hosts: ['*']}}]}}\n---\n"
        )
    };
    let content = [
        one("c", "'2024-01-02T00:00:00Z'"),
        one("b", "2024-01-01T00:00:00Z"),
        one("z", "null"),
        one("a", "2024-01-02T00:00:00Z"),
        one("y", "2024-01-01T00:30:00+01:00"),
    ];
    let objects = good(&content.concat());
    let names: Vec<_> = objects
        .gateways
        .iter()
        .map(|gateway| &*gateway.meta.name.name)
        .collect();
    assert_eq!(names, ["z", "y", "b", "a", "c"]);
}
