use crate::labels::Labels;
use crate::load::{Text, load};
use crate::snapshot::Snapshot;
use crate::snapshot::addresses::allocate;
use crate::snapshot::workload::{Mode, Workload};

const WORLD: &str = "
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {clusterIP: 10.96.0.7, ports: [{port: 80, name: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: data}
spec: {clusterIP: None, ports: [{port: 3306, name: tcp}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: data, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: tcp, port: 3306}]
endpoints:
- {addresses: [10.0.0.5]}
- {addresses: [10.0.0.6]}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: shop}
spec: {type: ExternalName, externalName: example.org, ports: [{port: 80, name: http}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: bank, namespace: shop}
spec: {hosts: [bank.example], addresses: [192.0.2.1, 2001:db8::1, 198.51.100.0/24], ports: [{number: 443, name: tls, protocol: TLS}], resolution: NONE}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: plain, namespace: shop}
spec: {hosts: [plain.example], ports: [{number: 5432, name: tcp, protocol: TCP}], resolution: DNS}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: own, namespace: shop}
spec: {hosts: [own.example], ports: [{number: 443, name: tls, protocol: TLS}], resolution: NONE}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ranges, namespace: shop}
spec: {hosts: [ranges.example], addresses: [203.0.113.0/24], ports: [{number: 443, name: tls, protocol: TLS}], resolution: NONE}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wild, namespace: shop}
spec: {hosts: ['*.wild.example'], addresses: [192.0.2.9], ports: [{number: 443, name: tls, protocol: TLS}], resolution: NONE}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: deep, namespace: shop}
spec: {hosts: ['*.deep.wild.example'], addresses: [192.0.2.10], ports: [{number: 443, name: tls, protocol: TLS}], resolution: NONE}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: theirs, namespace: other}
spec: {hosts: [theirs.example], exportTo: ['.'], addresses: [192.0.2.77], ports: [{number: 443, name: tls, protocol: TLS}], resolution: NONE}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: reviews-too, namespace: shop}
spec: {hosts: [reviews.shop.svc.cluster.local], addresses: [192.0.2.66], ports: [{number: 81, name: http, protocol: HTTP}], resolution: NONE}
";

fn snapshot(dns_capture: bool) -> Snapshot {
    let text = Text {
        file: "names.yaml".into(),
        bytes: WORLD.into(),
    };
    let (mut objects, problems) = load(&[text], None);
    assert_eq!(problems, []);
    allocate(&mut objects);
    let workload = Workload {
        mode: Mode::Sidecar,
        namespace: "shop".into(),
        labels: Labels::default(),
        addresses: Vec::new(),
        own_ports: Vec::new(),
        redirect_ports: Vec::new(),
        dns_capture,
    };
    Snapshot::build(&objects, workload).0
}

#[test]
fn names_and_their_addresses() {
    let snapshot = snapshot(true);
    let find = |name: &str| {
        snapshot.names.find(name).map(|addresses| {
            let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            texts.join(" ")
        })
    };
    for (name, addresses) in [
        ("reviews.shop.svc.cluster.local", Some("10.96.0.7")),
        ("reviews.shop.svc", Some("10.96.0.7")),
        ("reviews.shop", Some("10.96.0.7")),
        ("reviews", Some("10.96.0.7")),
        ("db", None),
        ("db.data", Some("10.0.0.5 10.0.0.6")),
        ("db.data.svc.cluster.local", Some("10.0.0.5 10.0.0.6")),
        ("outside.shop.svc.cluster.local", None),
        ("bank.example", Some("192.0.2.1 2001:db8::1")),
        ("bank", None),
        ("own.example", None),
        ("ranges.example", None),
        ("a.wild.example", Some("192.0.2.9")),
        ("a.b.wild.example", Some("192.0.2.9")),
        ("a.deep.wild.example", Some("192.0.2.10")),
        ("deep.wild.example", Some("192.0.2.9")),
        ("wild.example", None),
        (".wild.example", None),
        ("theirs.example", None),
        ("nobody.example", None),
        ("", None),
    ] {
        assert_eq!(find(name).as_deref(), addresses, "{name}");
    }
    let given = find("plain.example").expect("an address of its own");
    assert!(
        given.starts_with("240.240.") && given.contains("2001:2::f0f0:"),
        "{given}"
    );
}

#[test]
fn without_capture_there_is_no_table() {
    assert!(snapshot(false).names.is_empty());
}
