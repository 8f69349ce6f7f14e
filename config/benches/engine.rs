//! How long decisions and the building of snapshots take in a large mesh.
//!
//! `cargo bench -p egret-config` measures a decision among 10,000 ServiceEntries and 1,000 VirtualServices, reading that
//! many ServiceEntries from YAML text, and building a snapshot from what was read.

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{BatchSize, Criterion};
use egret_config::address::{ClientAddress, OriginalDestination};
use egret_config::decide;
use egret_config::decide::call::{Arrival, ClientHello, Connection, HttpVersion, Layer, Request};
use egret_config::lint::lint;
use egret_config::load::{self, Text, TextDocuments, TextReader, load};
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::{Mode, Workload};

/// ServiceEntries as users write them: some with HTTP, some with HTTPS, TCP with an address, wildcards.
fn service_entries(count: usize) -> String {
    let mut yaml = String::new();
    for at in 0..count {
        let (host, rest) = match at % 4 {
            0 => (
                "",
                "  - number: 80\n    name: http\n    protocol: HTTP\n  - number: 443\n    name: https\n    protocol: HTTPS\n  resolution: DNS\n",
            ),
            1 => (
                "",
                "  - number: 443\n    name: tls\n    protocol: TLS\n  resolution: DNS\n",
            ),
            2 => (
                "*.",
                "  - number: 443\n    name: tls\n    protocol: TLS\n  resolution: NONE\n",
            ),
            _ => (
                "",
                "  - number: 5432\n    name: tcp\n    protocol: TCP\n  resolution: STATIC\n  endpoints:\n  - address: 192.0.2.10\n    labels:\n      version: v1\n",
            ),
        };
        let _ = write!(
            yaml,
            "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: external-{at}\n  \
             namespace: team-{}\n  labels:\n    app: external\nspec:\n  hosts:\n  - \"{host}api-{at}.example-{}.com\"\n",
            at % 20,
            at % 100
        );
        if at % 4 == 3 {
            let _ = writeln!(
                yaml,
                "  addresses:\n  - 10.{}.{}.{}",
                at / 65536,
                at / 256 % 256,
                at % 256
            );
        }
        let _ = write!(yaml, "  location: MESH_EXTERNAL\n  ports:\n{rest}");
    }
    yaml
}

/// VirtualServices for some of those hosts.
fn virtual_services(count: usize) -> String {
    let mut yaml = String::new();
    for at in 0..count {
        let host = format!("api-{}.example-{}.com", at * 4, at * 4 % 100);
        let _ = write!(
            yaml,
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: route-{at}\n  \
             namespace: team-{}\nspec:\n  hosts:\n  - {host}\n  http:\n  - name: v2\n    match:\n    - uri:\n        \
             prefix: /v2/\n      headers:\n        x-canary:\n          exact: \"true\"\n    route:\n    - destination:\n        \
             host: {host}\n  - name: rest\n    route:\n    - destination:\n        host: {host}\n    timeout: 10s\n",
            at % 20
        );
    }
    yaml
}

fn text(yaml: String) -> Text {
    Text {
        file: "mesh.yaml".into(),
        bytes: yaml.into_bytes(),
    }
}

fn workload() -> Workload {
    Workload {
        mode: Mode::Sidecar,
        namespace: "default".into(),
        labels: [("app", "sleep")].into_iter().collect(),
        addresses: Vec::new(),
        own_ports: Vec::new(),
        redirect_ports: vec![15001, 15006],
        dns_capture: false,
    }
}

fn arrival(to: &str) -> Arrival {
    let to: SocketAddr = to.parse().expect("an address");
    let client = ClientAddress(SocketAddr::from(([10, 0, 0, 1], 40_000)));
    Arrival::new(client, OriginalDestination(to))
}

fn decisions(criterion: &mut Criterion) {
    let texts = [
        text(service_entries(10_000)),
        text(virtual_services(1_000)),
        text("outboundTrafficPolicy: {mode: REGISTRY_ONLY}".to_owned()),
    ];
    let (objects, problems) = load(&texts[..2], Some(&texts[2]));
    assert!(problems.is_empty(), "{:?}", problems.first());
    let (snapshot, _) = Snapshot::build(&objects, workload());
    let headers = http::HeaderMap::new();
    let mut group = criterion.benchmark_group("decide");
    for (name, host) in [
        ("http default", "api-8000.example-0.com"),
        ("http rule", "api-400.example-0.com"),
        ("http unknown", "nowhere.test"),
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
        group.bench_function(name, |bencher| {
            bencher.iter(|| decide::request(&snapshot, black_box(&request), &mut |_| 0));
        });
    }
    let hello = |sni: &str| {
        Layer::Tls(ClientHello {
            sni: Some(sni.into()),
            alpn: Vec::new(),
        })
    };
    for (name, to, layer) in [
        (
            "tls exact",
            "198.51.100.7:443",
            hello("api-1.example-1.com"),
        ),
        (
            "tls wildcard",
            "198.51.100.7:443",
            hello("x.api-2.example-2.com"),
        ),
        ("tls unknown", "198.51.100.7:443", hello("nowhere.test")),
        ("tcp address", "10.0.0.3:5432", Layer::Opaque),
        (
            "http connection",
            "198.51.100.7:80",
            Layer::Http(HttpVersion::Http1),
        ),
    ] {
        let connection = Connection {
            arrival: arrival(to),
            layer: &layer,
            terminated: None,
        };
        group.bench_function(name, |bencher| {
            bencher.iter(|| decide::connection(&snapshot, black_box(&connection), &mut |_| 0));
        });
    }
    group.finish();
}

fn building(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("10,000 ServiceEntries");
    group.sample_size(10);
    let texts = [text(service_entries(10_000))];
    let (objects, _) = load(&texts, None);
    group.bench_function("load", |bencher| {
        bencher.iter_batched(|| (), |()| load(&texts, None), BatchSize::PerIteration);
    });
    group.bench_function("build", |bencher| {
        bencher.iter_batched(
            || (),
            |()| Snapshot::build(&objects, workload()),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("load and build", |bencher| {
        bencher.iter_batched(
            || (),
            |()| Snapshot::build(&load(&texts, None).0, workload()),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// One changed entry among 10,000, as a reload reads and builds it.
fn reloading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one of 10,000 ServiceEntries changed");
    group.sample_size(10);
    let yaml = service_entries(10_000);
    let changed = yaml.replacen("api-5000.", "other-5000.", 1);
    let moved = format!("# a line above everything\n{changed}");
    let [yaml, changed, moved] = [yaml, changed, moved].map(text);
    let reader = TextReader::default();
    let read = || reader.objects(&yaml, None);
    let built = |read: &TextDocuments| load::build(load::joined([read], None)).0;
    for (name, changed) in [("read", &changed), ("read, moved by a line", &moved)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                read,
                |before| reader.objects(changed, Some(before)),
                BatchSize::PerIteration,
            );
        });
    }
    // What is kept of the entries that did not change is shared by both.
    let before_change = read();
    let objects_before = built(&before_change);
    let (before, _) = Snapshot::build(&objects_before, workload());
    let after_change = reader.objects(&changed, Some(before_change));
    group.bench_function("objects", |bencher| {
        bencher.iter_with_large_drop(|| built(&after_change));
    });
    let objects = built(&after_change);
    group.bench_function("snapshot", |bencher| {
        bencher.iter_with_large_drop(|| Snapshot::rebuild(&objects, workload(), Some(&before)).0);
    });
    group.bench_function("lint", |bencher| bencher.iter(|| lint(&objects, &[])));
    group.bench_function("drop of the snapshot before", |bencher| {
        bencher.iter_batched(
            || Snapshot::rebuild(&objects, workload(), Some(&before)).0,
            drop,
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decisions(&mut criterion);
    building(&mut criterion);
    reloading(&mut criterion);
    criterion.final_summary();
}
