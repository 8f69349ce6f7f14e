use http::{HeaderMap, Method, header};

use super::*;
use crate::address::{ClientAddress, OriginalDestination};
use crate::decide::bad_request::BadRequestKind;
use crate::decide::call::Arrival;
use crate::load::{Text, load};
use crate::snapshot::workload::Workload;

/// Headers in order, names repeated as they come.
pub(super) fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

fn snapshot(mode: Mode, mesh: &str) -> Snapshot {
    let text = Text {
        file: "mesh.yaml".into(),
        bytes: mesh.into(),
    };
    let (objects, _) = load(&[], Some(&text));
    Snapshot::build(&objects, Workload::new(mode, "default")).0
}

fn arrival() -> Arrival {
    let client = ClientAddress(([10, 0, 0, 9], 40_000).into());
    Arrival::new(client, OriginalDestination(([192, 0, 2, 1], 8080).into()))
}

fn head(method: Method, target: &str, version: Version, headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::builder().method(method).version(version);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.uri(target).body(()).expect("request");
    request.into_parts().0
}

fn id() -> Option<HeaderValue> {
    Some(HeaderValue::from_static("made"))
}

#[test]
fn a_sidecars_request_has_one_host_and_a_regular_path() {
    let snapshot = snapshot(Mode::Sidecar, "");
    let downstream = Downstream::of(arrival(), None);
    let sent = [
        ("host", "a.test:80"),
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
        ("x-envoy-retry-on", "5xx"),
        ("x-forwarded-client-cert", "Hash=1"),
    ];
    let head = head(Method::GET, "/a/../b?q", Version::HTTP_11, &sent);
    let request = normalize(head, &downstream, &snapshot, id).expect("normalized");
    let mut expected = HeaderMap::new();
    for (name, value) in [
        ("host", "a.test:80"),
        ("x-request-id", "made"),
        ("x-forwarded-proto", "http"),
    ] {
        expected.insert(name, HeaderValue::from_static(value));
    }
    assert_eq!(request.parts.headers, expected);
    let question = request.question(&downstream);
    assert_eq!(
        (question.authority, question.path, question.scheme),
        ("a.test:80", "/b?q", "http")
    );
    assert_eq!(request.upgrade, None);
}

#[test]
fn a_gateway_adds_headers_about_the_client() {
    let snapshot = snapshot(Mode::Gateway, "");
    let downstream = Downstream::of(arrival(), None);
    let sent = [
        ("host", "a.test"),
        ("x-request-id", "sent"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-proto", "https"),
    ];
    let head = head(Method::GET, "/", Version::HTTP_11, &sent);
    let request = normalize(head, &downstream, &snapshot, id).expect("normalized");
    let headers = &request.parts.headers;
    assert_eq!(headers["x-request-id"], "sent");
    assert_eq!(headers["x-forwarded-for"], "6.6.6.6,10.0.0.9");
    assert_eq!(headers["x-envoy-external-address"], "10.0.0.9");
    assert_eq!(request.question(&downstream).scheme, "http");
}

#[test]
fn rules_see_the_scheme_of_a_url_first() {
    let snapshot = snapshot(Mode::Sidecar, "");
    let downstream = Downstream::of(arrival(), None);
    for (target, version, scheme) in [
        ("/x", Version::HTTP_11, "https"),
        ("http://a.test/x", Version::HTTP_11, "http"),
        ("http://a.test/x", Version::HTTP_2, "http"),
    ] {
        let sent = [("host", "a.test"), ("x-forwarded-proto", "https")];
        let head = head(Method::GET, target, version, &sent);
        let request = normalize(head, &downstream, &snapshot, id).expect("normalized");
        assert_eq!(request.question(&downstream).scheme, scheme, "{target}");
    }
}

#[test]
fn http_1_0_without_host_gets_its_original_destination() {
    let snapshot = snapshot(Mode::Sidecar, "");
    let downstream = Downstream::of(arrival(), None);
    let old = head(Method::GET, "/", Version::HTTP_10, &[]);
    let request = normalize(old, &downstream, &snapshot, id).expect("normalized");
    assert_eq!(request.authority, "192.0.2.1:8080");
    assert_eq!(request.parts.headers[header::HOST], "192.0.2.1:8080");
    let new = head(Method::GET, "/", Version::HTTP_11, &[]);
    let bad = normalize(new, &downstream, &snapshot, id).expect_err("no host");
    assert_eq!(bad.reason.kind, BadRequestKind::NoHost);
}

#[test]
fn what_breaks_a_rule_of_http_is_a_bad_request() {
    let snapshot = snapshot(Mode::Sidecar, "");
    let downstream = Downstream::of(arrival(), None);
    for (target, header, kind) in [
        ("/", ("transfer-encoding", "gzip"), BadRequestKind::Coding),
        ("/%00", ("x-a", "1"), BadRequestKind::Path),
        ("https://a.test/", ("x-a", "1"), BadRequestKind::Insecure),
        ("ftp://a.test/", ("x-a", "1"), BadRequestKind::Scheme),
        ("*", ("x-a", "1"), BadRequestKind::Syntax),
    ] {
        let sent = [("host", "a.test"), header];
        let head = head(Method::GET, target, Version::HTTP_11, &sent);
        let bad = normalize(head, &downstream, &snapshot, id).expect_err("bad");
        assert_eq!(bad.reason.kind, kind, "{target}");
    }
}
