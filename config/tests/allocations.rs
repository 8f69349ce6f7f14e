//! Decisions of calls that are registered, or refused, allocate nothing.

use std::net::SocketAddr;

use allocation_counter::measure;
use egret_config::address::{ClientAddress, OriginalDestination};
use egret_config::decide;
use egret_config::decide::call::{Arrival, ClientHello, Connection, HttpVersion, Layer, Request};
use egret_config::decide::normalize::downstream::Downstream;
use egret_config::decide::normalize::{hop, normalize};
use egret_config::decide::verdict::RequestVerdict;
use egret_config::load::{Text, load};
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::{Mode, Workload};
use http::{HeaderMap, HeaderValue};

const WORLD: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: shop}
spec:
  hosts: [shop.example, '*.wild.example']
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]
  resolution: NONE
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db}
spec:
  hosts: [db.example]
  addresses: [192.0.2.1]
  ports: [{number: 5432, name: tcp, protocol: TCP}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.example]
  http:
  - match: [{uri: {prefix: /v1/}, headers: {x-who: {exact: me}}}]
    name: first
    timeout: 3s
    route: [{destination: {host: shop.example}}]
  - route: [{destination: {host: shop.example}}]
";

fn snapshot() -> Snapshot {
    let text = |file: &str, text: &str| Text {
        file: file.into(),
        bytes: text.into(),
    };
    let mesh = text("mesh.yaml", "outboundTrafficPolicy: {mode: REGISTRY_ONLY}");
    let (objects, problems) = load(&[text("world.yaml", WORLD)], Some(&mesh));
    assert_eq!(problems, []);
    Snapshot::build(&objects, Workload::new(Mode::Sidecar, "default")).0
}

fn arrival(to: &str) -> Arrival {
    let to: SocketAddr = to.parse().expect("an address");
    let client = ClientAddress(SocketAddr::from(([10, 0, 0, 1], 40_000)));
    Arrival::new(client, OriginalDestination(to))
}

#[test]
fn requests() {
    let snapshot = snapshot();
    let mut headers = HeaderMap::new();
    headers.insert("x-who", HeaderValue::from_static("me"));
    for (host, forwarded) in [
        ("shop.example", true),
        ("shop.example:80", true),
        ("a.wild.example", true),
        ("nowhere.example", false),
    ] {
        let request = Request {
            arrival: arrival("198.51.100.7:80"),
            terminated: None,
            method: "GET",
            scheme: "http",
            authority: host,
            path: "/v1/things?id=1",
            headers: &headers,
        };
        let mut outcome = None;
        let info = measure(|| {
            let decision = decide::request(&snapshot, &request, &mut |_| 0);
            outcome = Some(matches!(decision.verdict, RequestVerdict::Forward(_)));
        });
        assert_eq!(outcome, Some(forwarded), "{host}");
        assert_eq!(info.count_total, 0, "{host}");
    }
}

#[test]
fn connections() {
    let snapshot = snapshot();
    let tls = |sni: &str| {
        Layer::Tls(ClientHello {
            sni: Some(sni.into()),
            alpn: Vec::new(),
        })
    };
    for (to, layer, cluster) in [
        (
            "198.51.100.7:443",
            tls("shop.example"),
            Some("outbound|443||shop.example"),
        ),
        (
            "198.51.100.7:443",
            tls("b.wild.example"),
            Some("outbound|443||*.wild.example"),
        ),
        (
            "198.51.100.7:443",
            tls("nowhere.example"),
            Some("BlackHoleCluster"),
        ),
        (
            "192.0.2.1:5432",
            Layer::Opaque,
            Some("outbound|5432||db.example"),
        ),
        ("198.51.100.7:80", Layer::Http(HttpVersion::Http1), None),
    ] {
        let connection = Connection {
            arrival: arrival(to),
            layer: &layer,
            terminated: None,
        };
        let mut outcome = None;
        let info = measure(|| {
            outcome = decide::connection(&snapshot, &connection, &mut |_| 0).cluster;
        });
        assert_eq!(outcome, cluster, "{to} {layer:?}");
        assert_eq!(info.count_total, 0, "{to} {layer:?}");
    }
}

/// A head with room for the headers that a proxy adds, as a parser of heads leaves it.
fn head(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(20);
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn a_request_with_nothing_to_change_is_normalized_for_nothing() {
    let snapshot = snapshot();
    let downstream = Downstream::of(arrival("192.0.2.1:80"), None);
    let (mut request, ()) = http::Request::new(()).into_parts();
    request.headers = head(&[("host", "a.test"), ("accept", "*/*"), ("x-own", "1")]);
    let id = HeaderValue::from_static("made");
    let mut left = 0;
    let count = measure(|| {
        let request = normalize(request, &downstream, &snapshot, || Some(id)).expect("normalized");
        assert_eq!(request.question(&downstream).authority, "a.test");
        left = request.parts.headers.len();
    });
    assert_eq!(count.count_total, 0);
    assert_eq!(left, 5);
    let mut response = head(&[("content-length", "3"), ("connection", "keep-alive")]);
    let count = measure(|| hop::strip_response(&mut response));
    assert_eq!(count.count_total, 0);
    assert_eq!(response.len(), 1);
}
