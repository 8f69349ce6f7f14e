use crate::labels::Labels;
use crate::lint::listeners::no_listener;
use crate::snapshot::Snapshot;
use crate::snapshot::workload::{Mode, Workload};

use super::*;

const GATEWAY: &str = "
apiVersion: NET/v1
kind: Gateway
metadata: {name: out, namespace: istio-system}
spec:
  selector: {istio: egressgateway}
  servers:
  - {port: {number: 443, name: tls, protocol: TLS}, hosts: [a.com], tls: {mode: PASSTHROUGH}}
  - {port: {number: 3306, name: tcp, protocol: TCP}, hosts: [a.com]}
---";

fn virtual_service(gateway: &str, rules: &str) -> String {
    format!(
        "\napiVersion: NET/v1\nkind: VirtualService\nmetadata: {{name: v, namespace: istio-system}}\n\
         spec: {{hosts: [a.com], gateways: [{gateway}], {rules}}}\n---"
    )
}

const TLS: &str = "tls: [{match: [{sniHosts: [a.com]}], route: [{destination: {host: a.com}}]}]";
const TCP: &str = "tcp: [{route: [{destination: {host: a.com}}]}]";

#[test]
fn a_port_that_no_rule_opens() {
    let tls = "Gateway istio-system/out | spec.servers[0] | no VirtualService with `tls` rules is bound to this server";
    let tcp = "Gateway istio-system/out | spec.servers[1] | no VirtualService with `tcp` rules is bound to this server";
    check(GATEWAY, &[tls, tcp]);
    check(
        &(GATEWAY.to_owned() + &virtual_service("out", &format!("{TLS}, {TCP}"))),
        &[],
    );
    check(&(GATEWAY.to_owned() + &virtual_service("out", TCP)), &[tls]);
    check(
        &(GATEWAY.to_owned() + &virtual_service("mesh", TLS)),
        &[tls, tcp],
    );
}

#[test]
fn a_gateway_that_listens_nowhere() {
    let problem = |yaml: &str, mode: Mode, labels: &str| {
        let text = Text {
            file: "a.yaml".into(),
            bytes: yaml.replace("NET/", "networking.istio.io/").into_bytes(),
        };
        let (objects, _) = load(&[text], None);
        let workload = Workload {
            labels: Labels::parse(labels).expect("labels"),
            ..Workload::new(mode, "istio-system")
        };
        let (snapshot, _) = Snapshot::build(&objects, workload);
        no_listener(&objects, &snapshot).map(|problem| problem.to_string())
    };
    let http = GATEWAY.replace("TCP}", "HTTP}");
    let labels = "istio=egressgateway";
    assert_eq!(problem(&http, Mode::Gateway, labels), None);
    assert_eq!(problem("", Mode::Sidecar, ""), None);
    for (yaml, labels, part) in [
        (
            GATEWAY,
            labels,
            "a.yaml:2: Gateway istio-system/out: spec.servers: the gateway that this object selects listens on no port",
        ),
        (
            &*http,
            "istio=other",
            "no Gateway selects the labels of this workload",
        ),
        ("", labels, "there is no Gateway"),
    ] {
        let problem = problem(yaml, Mode::Gateway, labels).expect("a problem");
        assert!(problem.contains(part), "{problem}");
    }
}

#[test]
fn http_rules_where_no_http_arrives() {
    let entry = |ports: &str| {
        format!(
            "\napiVersion: NET/v1\nkind: ServiceEntry\nmetadata: {{name: a}}\n\
             spec: {{hosts: [a.com], ports: [{ports}], resolution: DNS}}\n---"
        )
    };
    let rules = |gateways: &str| {
        format!(
            "\napiVersion: NET/v1\nkind: VirtualService\nmetadata: {{name: v}}\n\
             spec: {{hosts: [a.com], {gateways}http: [{{route: [{{destination: {{host: a.com}}}}]}}]}}\n---"
        )
    };
    let https = "{number: 443, name: tls, protocol: HTTPS}";
    let unheard = "VirtualService default/v | spec.hosts[0] | `http` rules have no effect for this host: ServiceEntry default/a has only ports";
    check(&(entry(https) + &rules("")), &[unheard]);
    check(
        &(entry(&format!(
            "{https}, {{number: 80, name: http, protocol: HTTP}}"
        )) + &rules("")),
        &[],
    );
    check(&rules(""), &[]);
    let bound = "\napiVersion: NET/v1\nkind: Gateway\nmetadata: {name: g}\nspec: {servers: [{port: {number: 80, name: h, protocol: HTTP}, hosts: ['*']}]}\n---";
    check(&(entry(https) + bound + &rules("gateways: [g], ")), &[]);
}
