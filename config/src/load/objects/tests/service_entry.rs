//! Problems of ServiceEntries, and the services they become.

use crate::model::meta::ExportTo;
use crate::model::service::Resolution;
use crate::name::Kind;
use crate::port::Protocol;

use super::{check, good, object};

#[test]
fn service_entries_are_checked() {
    const PORTS: &str = "ports: [{number: 80, name: http, protocol: HTTP}]";
    let table = [
        (format!("{{hosts: [a.b], {PORTS}, resolution: DNS}}"), ""),
        (format!("{{hosts: ['*.b'], {PORTS}}}"), ""),
        (
            "{}".into(),
            "spec.hosts: at least one host is required\nspec.ports: without ports nothing can be called",
        ),
        (
            format!("{{hosts: ['*'], {PORTS}}}"),
            "spec.hosts[0]: \"*\": a ServiceEntry cannot be for every host; write a suffix such as `*.example.com`",
        ),
        (
            format!("{{hosts: [a_b.c], {PORTS}}}"),
            "spec.hosts[0]: \"a_b.c\": not a host name: expected labels of letters, digits and dashes, joined by dots",
        ),
        (
            format!("{{hosts: ['*foo.com'], {PORTS}}}"),
            "spec.hosts[0]: \"*foo.com\": a partial wildcard, which matches inside of a label; write `*.` for whole labels",
        ),
        (
            format!("{{hosts: ['*.b'], {PORTS}, resolution: DNS}}"),
            "spec.hosts[0]: \"*.b\": a wildcard cannot be resolved; give endpoints, or resolution NONE or DYNAMIC_DNS",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, resolution: DYNAMIC_DNS}}"),
            "spec.hosts[0]: \"a.b\": resolution DYNAMIC_DNS is for wildcard hosts; write DNS",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, resolution: dns}}"),
            "spec.resolution: \"dns\": expected one of NONE, STATIC, DNS, DNS_ROUND_ROBIN, DYNAMIC_DNS",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, location: MARS}}"),
            "spec.location: \"MARS\": expected one of MESH_EXTERNAL, MESH_INTERNAL",
        ),
        (
            "{hosts: [a.b], ports: [{number: 80, name: x, protocol: HTPP}]}".into(),
            "spec.ports[0].protocol: \"HTPP\": expected one of HTTP, HTTP2, GRPC, GRPC-Web, HTTPS, TLS, TCP, MONGO, REDIS, MYSQL, UDP",
        ),
        (
            "{hosts: [a.b], ports: [{number: 0}]}".into(),
            "spec.ports[0].number: \"0\": expected a port from 1 to 65535\nspec.ports[0].name: a port needs a name",
        ),
        (
            "{hosts: [a.b], ports: [{number: 80, name: x, protocol: HTTP}, {number: 80, name: x, protocol: HTTP}]}".into(),
            "spec.ports[1].number: \"80\": another port of this ServiceEntry has this number
            spec.ports[1].name: \"x\": another port of this ServiceEntry has this name",
        ),
        (
            "{hosts: [a.b, c.d], ports: [{number: 80, name: x}], resolution: DNS}".into(),
            "spec.ports: \"80\": several hosts need ports whose calls name their host",
        ),
        (
            format!("{{hosts: [a.b], addresses: [10.0.0.0/8], {PORTS}, resolution: DNS}}"),
            "spec.addresses[0]: \"10.0.0.0/8\": only with resolution NONE or STATIC",
        ),
        (
            format!("{{hosts: [a.b], addresses: [ten], {PORTS}}}"),
            "spec.addresses[0]: \"ten\": expected an address such as 10.0.0.1 or a range such as 10.0.0.0/8",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, endpoints: [{{address: 1.2.3.4}}]}}"),
            "spec.endpoints: this resolution connects to the original destination",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, resolution: STATIC}}"),
            "spec.endpoints: resolution STATIC without endpoints: calls fail with 503 (UH)",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, resolution: STATIC, endpoints: [{{address: c.d}}]}}"),
            "spec.endpoints[0].address: \"c.d\": expected an IP address or unix:///path; for a name write resolution DNS",
        ),
        (
            format!(
                "{{hosts: [a.b], {PORTS}, resolution: STATIC, endpoints: [{{address: 'unix:///run/a.sock'}}]}}"
            ),
            "",
        ),
        (
            format!(
                "{{hosts: [a.b], {PORTS}, resolution: DNS, endpoints: [{{address: 'unix:///run/a.sock'}}]}}"
            ),
            "spec.endpoints[0].address: \"unix:///run/a.sock\": expected an IP address or a host name",
        ),
        (
            format!(
                "{{hosts: [a.b], {PORTS}, resolution: DNS, endpoints: [{{address: c.d, ports: {{https: 1, http: 0}}}}]}}"
            ),
            "spec.endpoints[0].ports.http: \"0\": expected a port from 1 to 65535\nspec.endpoints[0].ports.https: \"1\": the ServiceEntry has no port of this name",
        ),
        (
            format!(
                "{{hosts: [a.b], {PORTS}, resolution: DNS_ROUND_ROBIN, endpoints: [{{address: c.d}}, {{address: e.f}}]}}"
            ),
            "spec.endpoints: \"2\": resolution DNS_ROUND_ROBIN has at most one",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, exportTo: ['*', x]}}"),
            "spec.exportTo: \"*, x\": `*` and `~` stand alone",
        ),
        (
            format!("{{hosts: [a.b], {PORTS}, exportTo: ['x/y']}}"),
            "spec.exportTo[0]: \"x/y\": expected `*`, `.` or the name of a namespace",
        ),
        (format!("{{hosts: [a.b], {PORTS}, exportTo: ['~']}}"), ""),
        (
            format!(
                "{{hosts: [a.b], {PORTS}, resolution: STATIC, endpoints: [{{address: 1.1.1.1}}], workloadSelector: {{labels: {{a: '*'}}}}}}"
            ),
            "spec.workloadSelector: only one of workloadSelector and endpoints
            spec.workloadSelector.labels: \"a=*\": a selector has no wildcards and no empty keys",
        ),
    ];
    let table: Vec<_> = table
        .iter()
        .map(|(spec, expected)| (spec.as_str(), *expected))
        .collect();
    check("ServiceEntry", &table);
}

#[test]
fn a_service_entry_becomes_a_service_for_each_host() {
    let objects = good(&object(
        "ServiceEntry",
        "{hosts: [A.b, '*.C'], addresses: [10.0.0.1, 'fd00::1'], exportTo: ['.', x], location: MESH_INTERNAL, ports: [{number: 80, name: h, protocol: http, targetPort: 8080}, {number: 443, name: s, protocol: https}],
          resolution: STATIC, endpoints: [{address: 10.1.1.1, weight: 3, labels: {v: '1'}, ports: {h: 81}, locality: r/z}, {address: '::1'}]}",
    ));
    let hosts: Vec<_> = objects
        .services
        .iter()
        .map(|service| service.host.to_string())
        .collect();
    assert_eq!(hosts, ["a.b", "*.c"]);
    let service = &objects.services[0];
    assert_eq!(service.resolution, Resolution::Static);
    assert_eq!(service.addresses[1].to_string(), "fd00::1/128");
    assert_eq!(service.ports[0].target, Some(8080));
    assert_eq!(service.ports[1].protocol, Protocol::Https);
    assert_eq!(
        service.export_to,
        Some(ExportTo::Namespaces(vec!["n".into(), "x".into()]))
    );
    assert!(!service.external);
    let endpoint = &service.endpoints[0];
    assert_eq!(
        (endpoint.weight, &*endpoint.locality, endpoint.ports["h"]),
        (Some(3), "r/z", 81)
    );
    assert_eq!(objects.counts[&Kind::ServiceEntry], 1);
}
